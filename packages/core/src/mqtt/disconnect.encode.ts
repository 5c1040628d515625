/**
 * Encodes DISCONNECT (MQTT 5.0 §3.14; in 3.1.1 §3.14 a client's fixed header alone), as short as allowed.
 */

import { notEncodable } from "./error.ts";
import { packetType } from "./packet-type.ts";
import type { DisconnectPacket, ProtocolVersion } from "./packets.ts";
import { encodeProperties, hasProperties } from "./properties.encode.ts";
import { mayCarryReasonCode } from "./reason-code.ts";
import { WireWriter } from "./wire-writer.ts";

const DISCONNECT_BYTES_GUESS = 64;

/** @throws {MqttError} not_encodable: 3.1.1 carries neither Reason Code nor properties. */
export function encodeDisconnect(packet: DisconnectPacket, version: ProtocolVersion): Uint8Array {
  const { reasonCode, properties } = packet;
  if (reasonCode === 0 && !hasProperties(properties)) return new Uint8Array([packetType.disconnect << 4, 0]);
  if (version === 4) throw notEncodable("MQTT 3.1.1 disconnects without Reason Code or properties");
  if (
    !mayCarryReasonCode("disconnectFromClient", reasonCode) &&
    !mayCarryReasonCode("disconnectFromServer", reasonCode)
  ) {
    throw notEncodable("a Reason Code DISCONNECT cannot carry", { reasonCode });
  }
  const writer = new WireWriter(DISCONNECT_BYTES_GUESS);
  writer.byte(reasonCode);
  if (hasProperties(properties)) encodeProperties(writer, properties, packetType.disconnect, version);
  return writer.finish(packetType.disconnect << 4);
}
