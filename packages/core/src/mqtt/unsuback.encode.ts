/**
 * Encodes UNSUBACK (MQTT 5.0 §3.11; in 3.1.1 §3.11 it is the Packet Identifier alone).
 */

import { notEncodable } from "./error.ts";
import { packetType } from "./packet-type.ts";
import type { ProtocolVersion, UnsubackPacket } from "./packets.ts";
import { encodeProperties } from "./properties.encode.ts";
import { mayCarryReasonCode } from "./reason-code.ts";
import { WireWriter } from "./wire-writer.ts";

const UNSUBACK_BYTES_GUESS = 16;

/** @throws {MqttError} not_encodable: MQTT 5 wants a Reason Code for each Topic Filter, 3.1.1 has none. */
export function encodeUnsuback(packet: UnsubackPacket, version: ProtocolVersion): Uint8Array {
  const { reasonCodes } = packet;
  if (version === 4 ? reasonCodes.length > 0 : reasonCodes.length === 0) {
    throw notEncodable("UNSUBACK has Reason Codes in MQTT 5.0 and only there", { version });
  }
  const writer = new WireWriter(UNSUBACK_BYTES_GUESS);
  writer.packetIdentifier(packet.packetIdentifier);
  encodeProperties(writer, packet.properties, packetType.unsuback, version);
  for (const reasonCode of reasonCodes) {
    if (!mayCarryReasonCode("unsuback", reasonCode)) {
      throw notEncodable("a Reason Code UNSUBACK cannot carry", { reasonCode });
    }
    writer.byte(reasonCode);
  }
  return writer.finish(packetType.unsuback << 4);
}
