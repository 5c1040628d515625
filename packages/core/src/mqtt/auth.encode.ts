/**
 * Encodes AUTH (MQTT 5.0 §3.15).
 */

import { notEncodable } from "./error.ts";
import { packetType } from "./packet-type.ts";
import type { AuthPacket } from "./packets.ts";
import { encodeProperties, hasProperties } from "./properties.encode.ts";
import { mayCarryReasonCode } from "./reason-code.ts";
import { WireWriter } from "./wire-writer.ts";

/** Room for a token as Authentication Data; longer ones grow. */
const AUTH_BYTES_GUESS = 512;

/** @throws {MqttError} not_encodable: anything but a bare success needs an Authentication Method. */
export function encodeAuth(packet: AuthPacket): Uint8Array {
  const { reasonCode, properties } = packet;
  if (reasonCode === 0 && !hasProperties(properties)) return new Uint8Array([packetType.auth << 4, 0]);
  if (
    !mayCarryReasonCode("authFromClient", reasonCode) &&
    !mayCarryReasonCode("authFromServer", reasonCode)
  ) {
    throw notEncodable("a Reason Code AUTH cannot carry", { reasonCode });
  }
  if (properties?.authenticationMethod === undefined)
    throw notEncodable("AUTH without Authentication Method");
  const writer = new WireWriter(AUTH_BYTES_GUESS);
  writer.byte(reasonCode);
  encodeProperties(writer, properties, packetType.auth, 5);
  return writer.finish(packetType.auth << 4);
}
