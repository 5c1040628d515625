/**
 * Encodes SUBACK (MQTT 5.0 §3.9, 3.1.1 §3.9).
 */

import { notEncodable } from "./error.ts";
import { packetType } from "./packet-type.ts";
import type { ProtocolVersion, SubackPacket } from "./packets.ts";
import { encodeProperties } from "./properties.encode.ts";
import { mayCarryReasonCode } from "./reason-code.ts";
import { WireWriter } from "./wire-writer.ts";

const SUBACK_BYTES_GUESS = 16;

/** @throws {MqttError} not_encodable: in 3.1.1 all failures are 0x80. */
export function encodeSuback(packet: SubackPacket, version: ProtocolVersion): Uint8Array {
  if (packet.reasonCodes.length === 0) throw notEncodable("SUBACK without a Reason Code");
  const writer = new WireWriter(SUBACK_BYTES_GUESS);
  writer.packetIdentifier(packet.packetIdentifier);
  encodeProperties(writer, packet.properties, packetType.suback, version);
  const carrier = version === 5 ? "suback" : "suback311";
  for (const reasonCode of packet.reasonCodes) {
    if (!mayCarryReasonCode(carrier, reasonCode)) {
      throw notEncodable("a Reason Code SUBACK cannot carry", { reasonCode, version });
    }
    writer.byte(reasonCode);
  }
  return writer.finish(packetType.suback << 4);
}
