/**
 * Decodes UNSUBACK (MQTT 5.0 §3.11; in 3.1.1 §3.11 it is the Packet Identifier alone).
 */

import { protocolError } from "./error.ts";
import { packetType } from "./packet-type.ts";
import type { ProtocolVersion, UnsubackPacket } from "./packets.ts";
import { decodeProperties } from "./properties.decode.ts";
import { mayCarryReasonCode } from "./reason-code.ts";
import type { WireReader } from "./wire-reader.ts";

/** @throws {MqttError} */
export function decodeUnsuback(reader: WireReader, version: ProtocolVersion): UnsubackPacket {
  const packetIdentifier = reader.packetIdentifier();
  if (version === 4) {
    reader.finish();
    return { type: "unsuback", packetIdentifier, reasonCodes: [] };
  }
  const properties = decodeProperties(reader, packetType.unsuback);
  if (reader.remaining === 0) throw protocolError("UNSUBACK without a Reason Code"); // §3.11.3
  const reasonCodes: number[] = [];
  while (reader.remaining > 0) {
    const reasonCode = reader.byte();
    if (!mayCarryReasonCode("unsuback", reasonCode)) {
      throw protocolError("a Reason Code UNSUBACK cannot carry", { reasonCode }); // MQTT-3.11.3-2
    }
    reasonCodes.push(reasonCode);
  }
  return properties === undefined
    ? { type: "unsuback", packetIdentifier, reasonCodes }
    : { type: "unsuback", packetIdentifier, reasonCodes, properties };
}
