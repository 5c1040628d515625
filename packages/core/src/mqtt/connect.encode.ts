/**
 * Encodes CONNECT (MQTT 5.0 §3.1, 3.1.1 §3.1) in the version the packet itself names.
 */

import { notEncodable } from "./error.ts";
import { packetType } from "./packet-type.ts";
import type { ConnectPacket } from "./packets.ts";
import { encodeProperties } from "./properties.encode.ts";
import { willProperties } from "./property-table.ts";
import { hasWildcard } from "./topic-name.ts";
import { WireWriter } from "./wire-writer.ts";

/** Room for a token as Password; longer ones grow. */
const CONNECT_BYTES_GUESS = 512;

/** @throws {MqttError} not_encodable */
export function encodeConnect(packet: ConnectPacket): Uint8Array {
  const { protocolVersion, will, userName, password, properties } = packet;
  if (protocolVersion === 4 && password !== undefined && userName === undefined) {
    throw notEncodable("MQTT 3.1.1 has no Password without a User Name"); // MQTT-3.1.2-22
  }
  if (properties?.authenticationData !== undefined && properties.authenticationMethod === undefined) {
    throw notEncodable("Authentication Data without Authentication Method");
  }
  const writer = new WireWriter(CONNECT_BYTES_GUESS);
  writer.utf8String("MQTT");
  writer.byte(protocolVersion);
  writer.byte(connectFlags(packet));
  writer.twoByteInteger(packet.keepAlive);
  encodeProperties(writer, properties, packetType.connect, protocolVersion);
  writer.utf8String(packet.clientIdentifier);
  if (will !== undefined) {
    encodeProperties(writer, will.properties, willProperties, protocolVersion);
    if (will.topic === "" || hasWildcard(will.topic)) {
      throw notEncodable("a Will Topic that is empty or has wildcard characters");
    }
    writer.utf8String(will.topic);
    writer.binaryData(will.payload);
  }
  if (userName !== undefined) writer.utf8String(userName);
  if (password !== undefined) writer.binaryData(password);
  return writer.finish(packetType.connect << 4);
}

function connectFlags({ cleanStart, will, userName, password }: ConnectPacket): number {
  let flags = cleanStart ? 0x02 : 0;
  if (will !== undefined) flags |= 0x04 | (will.qos << 3) | (will.retain ? 0x20 : 0);
  if (password !== undefined) flags |= 0x40;
  if (userName !== undefined) flags |= 0x80;
  return flags;
}
