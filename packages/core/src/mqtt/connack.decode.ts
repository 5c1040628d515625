/**
 * Decodes CONNACK (MQTT 5.0 §3.2, 3.1.1 §3.2).
 */

import { MqttError, malformed, protocolError } from "./error.ts";
import { packetType } from "./packet-type.ts";
import type { ConnackPacket, ProtocolVersion } from "./packets.ts";
import { decodeProperties } from "./properties.decode.ts";
import { mayCarryReasonCode, returnCode } from "./reason-code.ts";
import type { WireReader } from "./wire-reader.ts";

/**
 * @throws {MqttError} unsupported_protocol_version where a server without MQTT 5 answered a CONNECT of MQTT 5
 *   in the form of 3.1.1 (two bytes, return code 0x01).
 */
export function decodeConnack(reader: WireReader, version: ProtocolVersion): ConnackPacket {
  const flags = reader.byte();
  if (flags > 1) throw malformed("reserved flags of CONNACK are set", { flags }); // MQTT-3.2.2-1
  const sessionPresent = flags === 1;
  const reasonCode = reader.byte();
  if (version === 5 && reader.remaining === 0 && reasonCode === returnCode.unacceptableProtocolVersion) {
    throw new MqttError("unsupported_protocol_version", "the server does not speak MQTT 5.0");
  }
  if (!mayCarryReasonCode(version === 5 ? "connack" : "connack311", reasonCode)) {
    throw protocolError("a Reason Code CONNACK cannot carry", { reasonCode }); // MQTT-3.2.2-8
  }
  if (sessionPresent && reasonCode !== 0) {
    throw protocolError("Session Present in a CONNACK that refuses", { reasonCode }); // MQTT-3.2.2-6
  }
  const properties = version === 5 ? decodeProperties(reader, packetType.connack) : undefined;
  reader.finish();
  return properties === undefined
    ? { type: "connack", sessionPresent, reasonCode }
    : { type: "connack", sessionPresent, reasonCode, properties };
}
