/**
 * Decodes PUBACK, PUBREC, PUBREL and PUBCOMP (MQTT 5.0 §3.4 to §3.7): four packets of one shape.
 *
 * MQTT 5 shortens them: after the Packet Identifier the Reason Code may be missing (0x00), and so may the
 * property length. In 3.1.1 there is the Packet Identifier alone.
 */

import { protocolError } from "./error.ts";
import { packetType } from "./packet-type.ts";
import type { AcknowledgementPacket, ProtocolVersion } from "./packets.ts";
import { decodeProperties } from "./properties.decode.ts";
import { mayCarryReasonCode } from "./reason-code.ts";
import type { WireReader } from "./wire-reader.ts";

export type AcknowledgementType = "puback" | "pubrec" | "pubrel" | "pubcomp";

/** @throws {MqttError} */
export function decodeAcknowledgement<T extends AcknowledgementType>(
  reader: WireReader,
  type: T,
  version: ProtocolVersion,
): AcknowledgementPacket<T> {
  const packetIdentifier = reader.packetIdentifier();
  if (version === 4 || reader.remaining === 0) {
    reader.finish();
    return { type, packetIdentifier, reasonCode: 0 };
  }
  const reasonCode = reader.byte();
  if (!mayCarryReasonCode(type, reasonCode)) {
    throw protocolError("a Reason Code this packet cannot carry", { packet: type, reasonCode });
  }
  const properties = reader.remaining === 0 ? undefined : decodeProperties(reader, packetType[type]);
  reader.finish();
  return properties === undefined
    ? { type, packetIdentifier, reasonCode }
    : { type, packetIdentifier, reasonCode, properties };
}
