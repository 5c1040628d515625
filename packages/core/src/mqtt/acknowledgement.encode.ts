/**
 * Encodes PUBACK, PUBREC, PUBREL and PUBCOMP (MQTT 5.0 §3.4 to §3.7), shortened as far as MQTT 5 allows.
 */

import { notEncodable } from "./error.ts";
import { packetType } from "./packet-type.ts";
import type { ProtocolVersion, PubackPacket, PubcompPacket, PubrecPacket, PubrelPacket } from "./packets.ts";
import { encodeProperties, hasProperties } from "./properties.encode.ts";
import { mayCarryReasonCode } from "./reason-code.ts";
import { checkedPacketIdentifier, WireWriter } from "./wire-writer.ts";

type AnyAcknowledgement = PubackPacket | PubrecPacket | PubrelPacket | PubcompPacket;

const SHORT_BYTES = 4;

/** @throws {MqttError} not_encodable */
export function encodeAcknowledgement(packet: AnyAcknowledgement, version: ProtocolVersion): Uint8Array {
  const type = packetType[packet.type];
  const firstByte = (type << 4) | (packet.type === "pubrel" ? 0b0010 : 0); // MQTT-3.6.1-1
  const identifier = checkedPacketIdentifier(packet.packetIdentifier);
  const { reasonCode, properties } = packet;
  if (reasonCode === 0 && properties === undefined) return short(firstByte, identifier);
  if (version === 4) throw notEncodable("MQTT 3.1.1 acknowledges without Reason Code or properties");
  if (!mayCarryReasonCode(packet.type, reasonCode)) {
    throw notEncodable("a Reason Code this packet cannot carry", { packet: packet.type, reasonCode });
  }
  const writer = new WireWriter(SHORT_BYTES);
  writer.packetIdentifier(identifier);
  writer.byte(reasonCode);
  if (hasProperties(properties)) encodeProperties(writer, properties, type, version);
  return writer.finish(firstByte);
}

/** PUBACK with success, the same four bytes in both versions: the answer a bridge gives most. */
export function encodePuback(packetIdentifier: number): Uint8Array {
  return short(packetType.puback << 4, checkedPacketIdentifier(packetIdentifier));
}

function short(firstByte: number, identifier: number): Uint8Array {
  const bytes = new Uint8Array(SHORT_BYTES);
  bytes[0] = firstByte;
  bytes[1] = 2;
  bytes[2] = identifier >> 8;
  bytes[3] = identifier;
  return bytes;
}
