/**
 * Decodes SUBACK (MQTT 5.0 §3.9, 3.1.1 §3.9).
 */

import { protocolError } from "./error.ts";
import { packetType } from "./packet-type.ts";
import type { ProtocolVersion, SubackPacket } from "./packets.ts";
import { decodeProperties } from "./properties.decode.ts";
import { mayCarryReasonCode } from "./reason-code.ts";
import type { WireReader } from "./wire-reader.ts";

/** @throws {MqttError} */
export function decodeSuback(reader: WireReader, version: ProtocolVersion): SubackPacket {
  const packetIdentifier = reader.packetIdentifier();
  const properties = version === 5 ? decodeProperties(reader, packetType.suback) : undefined;
  if (reader.remaining === 0) throw protocolError("SUBACK without a Reason Code"); // MQTT-3.8.4-6
  const carrier = version === 5 ? "suback" : "suback311";
  const reasonCodes: number[] = [];
  while (reader.remaining > 0) {
    const reasonCode = reader.byte();
    if (!mayCarryReasonCode(carrier, reasonCode)) {
      throw protocolError("a Reason Code SUBACK cannot carry", { reasonCode }); // MQTT-3.9.3-2
    }
    reasonCodes.push(reasonCode);
  }
  return properties === undefined
    ? { type: "suback", packetIdentifier, reasonCodes }
    : { type: "suback", packetIdentifier, reasonCodes, properties };
}
