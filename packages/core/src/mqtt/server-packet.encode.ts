/**
 * Encodes any packet a server sends.
 */

import { encodeAcknowledgement } from "./acknowledgement.encode.ts";
import { encodeAuth } from "./auth.encode.ts";
import { encodeConnack } from "./connack.encode.ts";
import { encodeDisconnect } from "./disconnect.encode.ts";
import { notEncodable } from "./error.ts";
import type { ProtocolVersion, ServerPacket } from "./packets.ts";
import { encodePingresp } from "./pingresp.encode.ts";
import { encodePublish } from "./publish.encode.ts";
import { mayCarryReasonCode } from "./reason-code.ts";
import { encodeSuback } from "./suback.encode.ts";
import { encodeUnsuback } from "./unsuback.encode.ts";

/** @throws {MqttError} not_encodable: among others a DISCONNECT or AUTH in 3.1.1, whose server just closes. */
export function encodeServerPacket(packet: ServerPacket, version: ProtocolVersion): Uint8Array {
  switch (packet.type) {
    case "connack":
      return encodeConnack(packet, version);
    case "publish":
      return encodePublish(packet, version);
    case "puback":
    case "pubrec":
    case "pubrel":
    case "pubcomp":
      return encodeAcknowledgement(packet, version);
    case "suback":
      return encodeSuback(packet, version);
    case "unsuback":
      return encodeUnsuback(packet, version);
    case "pingresp":
      return encodePingresp();
    case "disconnect":
      if (version === 4) throw notEncodable("MQTT 3.1.1 has no DISCONNECT of a server");
      if (!mayCarryReasonCode("disconnectFromServer", packet.reasonCode)) {
        throw notEncodable("a Reason Code a server's DISCONNECT cannot carry", {
          reasonCode: packet.reasonCode,
        });
      }
      if (packet.properties?.sessionExpiryInterval !== undefined) {
        throw notEncodable("Session Expiry Interval in a server's DISCONNECT"); // MQTT-3.14.2-2
      }
      return encodeDisconnect(packet, version);
    case "auth":
      if (version === 4) throw notEncodable("MQTT 3.1.1 has no AUTH");
      if (!mayCarryReasonCode("authFromServer", packet.reasonCode)) {
        throw notEncodable("a Reason Code a server's AUTH cannot carry", { reasonCode: packet.reasonCode });
      }
      return encodeAuth(packet);
  }
}
