/**
 * Encodes CONNACK (MQTT 5.0 §3.2, 3.1.1 §3.2).
 */

import { notEncodable } from "./error.ts";
import { packetType } from "./packet-type.ts";
import type { ConnackPacket, ProtocolVersion } from "./packets.ts";
import { encodeProperties } from "./properties.encode.ts";
import { mayCarryReasonCode } from "./reason-code.ts";
import { WireWriter } from "./wire-writer.ts";

const CONNACK_BYTES_GUESS = 64;

/** @param version That of the CONNECT; 4 where it asked for one we do not speak. @throws {MqttError} not_encodable */
export function encodeConnack(packet: ConnackPacket, version: ProtocolVersion): Uint8Array {
  const { sessionPresent, reasonCode } = packet;
  if (!mayCarryReasonCode(version === 5 ? "connack" : "connack311", reasonCode)) {
    throw notEncodable("a Reason Code CONNACK cannot carry", { reasonCode, version });
  }
  if (sessionPresent && reasonCode !== 0) {
    throw notEncodable("Session Present in a CONNACK that refuses", { reasonCode }); // MQTT-3.2.2-6
  }
  const writer = new WireWriter(CONNACK_BYTES_GUESS);
  writer.byte(sessionPresent ? 1 : 0);
  writer.byte(reasonCode);
  encodeProperties(writer, packet.properties, packetType.connack, version);
  return writer.finish(packetType.connack << 4);
}
