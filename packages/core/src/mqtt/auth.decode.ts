/**
 * Decodes AUTH (MQTT 5.0 §3.15).
 *
 * With Remaining Length 0 it is Reason Code 0x00, which only a server may send. In any longer form the
 * Authentication Method must be there (§3.15.2.2.2).
 */

import { protocolError } from "./error.ts";
import { packetType } from "./packet-type.ts";
import type { AuthPacket } from "./packets.ts";
import { decodeProperties } from "./properties.decode.ts";
import { mayCarryReasonCode } from "./reason-code.ts";
import type { WireReader } from "./wire-reader.ts";

/** @param carrier which side sent it: each has its own Reason Codes. @throws {MqttError} */
export function decodeAuth(reader: WireReader, carrier: "authFromClient" | "authFromServer"): AuthPacket {
  const isShort = reader.remaining === 0;
  const reasonCode = isShort ? 0 : reader.byte();
  if (!mayCarryReasonCode(carrier, reasonCode)) {
    throw protocolError("a Reason Code this AUTH cannot carry", { reasonCode }); // MQTT-3.15.2-1
  }
  if (isShort) return { type: "auth", reasonCode };
  const properties = decodeProperties(reader, packetType.auth);
  reader.finish();
  if (properties?.authenticationMethod === undefined)
    throw protocolError("AUTH without Authentication Method");
  return { type: "auth", reasonCode, properties };
}
