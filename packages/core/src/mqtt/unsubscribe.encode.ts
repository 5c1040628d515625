/**
 * Encodes UNSUBSCRIBE (MQTT 5.0 §3.10, 3.1.1 §3.10).
 */

import { notEncodable } from "./error.ts";
import { packetType } from "./packet-type.ts";
import type { ProtocolVersion, UnsubscribePacket } from "./packets.ts";
import { encodeProperties } from "./properties.encode.ts";
import { WireWriter } from "./wire-writer.ts";

const UNSUBSCRIBE_BYTES_GUESS = 128;

/** @throws {MqttError} not_encodable */
export function encodeUnsubscribe(packet: UnsubscribePacket, version: ProtocolVersion): Uint8Array {
  if (packet.topicFilters.length === 0) throw notEncodable("UNSUBSCRIBE without a Topic Filter");
  const writer = new WireWriter(UNSUBSCRIBE_BYTES_GUESS);
  writer.packetIdentifier(packet.packetIdentifier);
  encodeProperties(writer, packet.properties, packetType.unsubscribe, version);
  for (const topicFilter of packet.topicFilters) {
    if (topicFilter === "") throw notEncodable("an empty Topic Filter");
    writer.utf8String(topicFilter);
  }
  return writer.finish((packetType.unsubscribe << 4) | 0b0010);
}
