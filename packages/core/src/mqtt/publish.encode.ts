/**
 * Encodes PUBLISH (MQTT 5.0 §3.3, 3.1.1 §3.3). Without properties it is measured and written once, in place.
 */

import { notEncodable } from "./error.ts";
import { packetType } from "./packet-type.ts";
import type { ProtocolVersion, PublishPacket } from "./packets.ts";
import { encodeProperties, hasProperties } from "./properties.encode.ts";
import { hasWildcard } from "./topic-name.ts";
import { utf8StringBytes, writeUtf8 } from "./utf8-string.ts";
import {
  checkedPacketIdentifier,
  variableByteIntegerBytes,
  WireWriter,
  writeVariableByteInteger,
} from "./wire-writer.ts";

/** @throws {MqttError} not_encodable */
export function encodePublish(packet: PublishPacket, version: ProtocolVersion): Uint8Array {
  const { topic, qos, packetIdentifier, payload, properties } = packet;
  if (hasWildcard(topic)) throw notEncodable("a Topic Name with wildcard characters");
  if (topic === "" && (version === 4 || properties?.topicAlias === undefined)) {
    throw notEncodable("PUBLISH with neither Topic Name nor Topic Alias");
  }
  if (qos === 0 && (packetIdentifier !== undefined || packet.dup)) {
    throw notEncodable("PUBLISH of QoS 0 with a Packet Identifier or DUP"); // MQTT-2.2.1-2, MQTT-3.3.1-2
  }
  const firstByte = (packetType.publish << 4) | (packet.dup ? 8 : 0) | (qos << 1) | (packet.retain ? 1 : 0);
  const identifier = qos === 0 ? 0 : checkedPacketIdentifier(packetIdentifier ?? 0);
  const topicBytes = utf8StringBytes(topic);
  if (hasProperties(properties)) {
    const writer = new WireWriter(topicBytes + payload.length + 64);
    writer.utf8String(topic);
    if (qos !== 0) writer.packetIdentifier(identifier);
    encodeProperties(writer, properties, packetType.publish, version);
    writer.raw(payload);
    return writer.finish(firstByte);
  }
  const remainingLength = 2 + topicBytes + (qos === 0 ? 0 : 2) + (version === 5 ? 1 : 0) + payload.length;
  const bytes = new Uint8Array(1 + variableByteIntegerBytes(remainingLength) + remainingLength);
  bytes[0] = firstByte;
  let at = writeVariableByteInteger(bytes, 1, remainingLength);
  bytes[at++] = topicBytes >> 8;
  bytes[at++] = topicBytes;
  at = writeUtf8(bytes, at, topic, topicBytes);
  if (qos !== 0) {
    bytes[at++] = identifier >> 8;
    bytes[at++] = identifier;
  }
  if (version === 5) at += 1; // property length 0
  bytes.set(payload, at);
  return bytes;
}
