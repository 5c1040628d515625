/**
 * Encodes any packet a client sends.
 */

import { encodeAcknowledgement } from "./acknowledgement.encode.ts";
import { encodeAuth } from "./auth.encode.ts";
import { encodeConnect } from "./connect.encode.ts";
import { encodeDisconnect } from "./disconnect.encode.ts";
import { notEncodable } from "./error.ts";
import type { ClientPacket, ProtocolVersion } from "./packets.ts";
import { encodePingreq } from "./pingreq.encode.ts";
import { encodePublish } from "./publish.encode.ts";
import { mayCarryReasonCode } from "./reason-code.ts";
import { encodeSubscribe } from "./subscribe.encode.ts";
import { encodeUnsubscribe } from "./unsubscribe.encode.ts";

/** @param version That of the connection; CONNECT itself says its own. @throws {MqttError} not_encodable */
export function encodeClientPacket(packet: ClientPacket, version: ProtocolVersion): Uint8Array {
  switch (packet.type) {
    case "connect":
      return encodeConnect(packet);
    case "publish":
      if (packet.properties?.subscriptionIdentifiers !== undefined) {
        throw notEncodable("a client's PUBLISH has no Subscription Identifier"); // MQTT-3.3.4-6
      }
      return encodePublish(packet, version);
    case "puback":
    case "pubrec":
    case "pubrel":
    case "pubcomp":
      return encodeAcknowledgement(packet, version);
    case "subscribe":
      return encodeSubscribe(packet, version);
    case "unsubscribe":
      return encodeUnsubscribe(packet, version);
    case "pingreq":
      return encodePingreq();
    case "disconnect":
      if (!mayCarryReasonCode("disconnectFromClient", packet.reasonCode)) {
        throw notEncodable("a Reason Code a client's DISCONNECT cannot carry", {
          reasonCode: packet.reasonCode,
        });
      }
      return encodeDisconnect(packet, version);
    case "auth":
      if (version === 4) throw notEncodable("MQTT 3.1.1 has no AUTH");
      if (!mayCarryReasonCode("authFromClient", packet.reasonCode)) {
        throw notEncodable("a Reason Code a client's AUTH cannot carry", { reasonCode: packet.reasonCode });
      }
      return encodeAuth(packet);
  }
}
