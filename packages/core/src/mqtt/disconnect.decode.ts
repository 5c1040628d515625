/**
 * Decodes DISCONNECT (MQTT 5.0 §3.14; in 3.1.1 §3.14 a client's fixed header alone).
 *
 * MQTT 5 shortens it: without a Reason Code it is 0x00, and a property length may be missing.
 */

import { protocolError } from "./error.ts";
import { packetType } from "./packet-type.ts";
import type { DisconnectPacket, ProtocolVersion } from "./packets.ts";
import { decodeProperties } from "./properties.decode.ts";
import { mayCarryReasonCode } from "./reason-code.ts";
import type { WireReader } from "./wire-reader.ts";

/** @param carrier which side sent it: each has its own Reason Codes. @throws {MqttError} */
export function decodeDisconnect(
  reader: WireReader,
  carrier: "disconnectFromClient" | "disconnectFromServer",
  version: ProtocolVersion,
): DisconnectPacket {
  if (version === 4 || reader.remaining === 0) {
    reader.finish();
    return { type: "disconnect", reasonCode: 0 };
  }
  const reasonCode = reader.byte();
  if (!mayCarryReasonCode(carrier, reasonCode)) {
    throw protocolError("a Reason Code this DISCONNECT cannot carry", { reasonCode }); // MQTT-3.14.2-1
  }
  const properties = reader.remaining === 0 ? undefined : decodeProperties(reader, packetType.disconnect);
  reader.finish();
  if (properties === undefined) return { type: "disconnect", reasonCode };
  if (carrier === "disconnectFromServer" && properties.sessionExpiryInterval !== undefined) {
    throw protocolError("Session Expiry Interval in a server's DISCONNECT"); // MQTT-3.14.2-2
  }
  return { type: "disconnect", reasonCode, properties };
}
