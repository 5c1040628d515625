/**
 * MQTT 3.1.1 and 5.0: packets as values, Reason Codes and the codec's error; no codec.
 *
 * Encoders and decoders enter by `client.ts` (what a device needs) and `server.ts` (what a bridge needs).
 */

export { MqttError, type MqttErrorCode } from "./error.ts";
export type {
  AcknowledgementPacket,
  AuthPacket,
  ClientPacket,
  ConnackPacket,
  ConnectPacket,
  DisconnectPacket,
  MqttPacket,
  PingreqPacket,
  PingrespPacket,
  Properties,
  ProtocolVersion,
  PubackPacket,
  PubcompPacket,
  PublishPacket,
  PubrecPacket,
  PubrelPacket,
  QoS,
  ServerPacket,
  SubackPacket,
  SubscribePacket,
  SubscriptionRequest,
  UnsubackPacket,
  UnsubscribePacket,
  Will,
} from "./packets.ts";
export {
  findReasonCodeName,
  mayCarryReasonCode,
  type ReasonCodeCarrier,
  reasonCode,
  reasonCodesOf,
  returnCode,
} from "./reason-code.ts";
