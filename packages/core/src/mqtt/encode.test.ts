/** What has no form on the wire is refused by the encoders: what they let out, our own decoders take. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { encodePuback } from "./acknowledgement.encode.ts";
import { encodeClientPacket } from "./client-packet.encode.ts";
import type { ClientPacket, ProtocolVersion, ServerPacket } from "./packets.ts";
import { encodeServerPacket } from "./server-packet.encode.ts";

const payload = new Uint8Array(0);
const publish = { type: "publish", dup: false, qos: 0, retain: false, topic: "t", payload } as const;
const connect = {
  type: "connect",
  protocolVersion: 5,
  cleanStart: true,
  keepAlive: 0,
  clientIdentifier: "",
} as const;
const subscription = {
  topicFilter: "f",
  qos: 0,
  noLocal: false,
  retainAsPublished: false,
  retainHandling: 0,
} as const;
const will = { topic: "t", payload, qos: 0, retain: false } as const;

const clientRefusals: readonly (readonly [rule: string, version: ProtocolVersion, packet: ClientPacket])[] = [
  ["a Topic Name with a wildcard", 5, { ...publish, topic: "a/+" }],
  ["an empty Topic Name in 3.1.1", 4, { ...publish, topic: "" }],
  ["neither Topic Name nor Topic Alias", 5, { ...publish, topic: "" }],
  ["properties in 3.1.1", 4, { ...publish, properties: { contentType: "c" } }],
  ["QoS 0 with a Packet Identifier", 5, { ...publish, packetIdentifier: 1 }],
  ["QoS 0 with DUP", 5, { ...publish, dup: true }],
  ["QoS 1 without a Packet Identifier", 5, { ...publish, qos: 1 }],
  ["Packet Identifier 65,536", 5, { ...publish, qos: 1, packetIdentifier: 65_536 }],
  ["Topic Alias 0", 5, { ...publish, properties: { topicAlias: 0 } }],
  [
    "a Subscription Identifier in a client's PUBLISH",
    5,
    { ...publish, properties: { subscriptionIdentifiers: [1] } },
  ],
  ["a property of another packet", 5, { ...publish, properties: { reasonString: "r" } }],
  ["a Password without User Name in 3.1.1", 4, { ...connect, protocolVersion: 4, password: payload }],
  ["Authentication Data without Method", 5, { ...connect, properties: { authenticationData: payload } }],
  ["a Will Topic with a wildcard", 5, { ...connect, will: { ...will, topic: "#" } }],
  ["an empty Will Topic", 5, { ...connect, will: { ...will, topic: "" } }],
  ["Keep Alive 65,536", 5, { ...connect, keepAlive: 65_536 }],
  ["a SUBSCRIBE of nothing", 5, { type: "subscribe", packetIdentifier: 1, subscriptions: [] }],
  [
    "an empty Topic Filter",
    5,
    { type: "subscribe", packetIdentifier: 1, subscriptions: [{ ...subscription, topicFilter: "" }] },
  ],
  [
    "No Local in 3.1.1",
    4,
    { type: "subscribe", packetIdentifier: 1, subscriptions: [{ ...subscription, noLocal: true }] },
  ],
  [
    "No Local on a Shared Subscription",
    5,
    {
      type: "subscribe",
      packetIdentifier: 1,
      subscriptions: [{ ...subscription, topicFilter: "$share/g/f", noLocal: true }],
    },
  ],
  [
    "two Subscription Identifiers",
    5,
    {
      type: "subscribe",
      packetIdentifier: 1,
      subscriptions: [subscription],
      properties: { subscriptionIdentifiers: [1, 2] },
    },
  ],
  ["an UNSUBSCRIBE of nothing", 5, { type: "unsubscribe", packetIdentifier: 1, topicFilters: [] }],
  ["a Reason Code in a PUBACK of 3.1.1", 4, { type: "puback", packetIdentifier: 1, reasonCode: 0x87 }],
  ["a PUBACK's Reason Code of another packet", 5, { type: "puback", packetIdentifier: 1, reasonCode: 0x92 }],
  ["a DISCONNECT's Reason Code of a server", 5, { type: "disconnect", reasonCode: 0x8b }],
  ["a DISCONNECT's Reason Code in 3.1.1", 4, { type: "disconnect", reasonCode: 0x04 }],
  ["AUTH in 3.1.1", 4, { type: "auth", reasonCode: 0x18, properties: { authenticationMethod: "m" } }],
  ["AUTH without Method", 5, { type: "auth", reasonCode: 0x18 }],
  ["AUTH success of a client", 5, { type: "auth", reasonCode: 0x00 }],
];

const serverRefusals: readonly (readonly [rule: string, version: ProtocolVersion, packet: ServerPacket])[] = [
  [
    "a Reason Code of MQTT 5 in a CONNACK of 3.1.1",
    4,
    { type: "connack", sessionPresent: false, reasonCode: 0x87 },
  ],
  ["Session Present in a refusal", 5, { type: "connack", sessionPresent: true, reasonCode: 0x87 }],
  ["a SUBACK of nothing", 5, { type: "suback", packetIdentifier: 1, reasonCodes: [] }],
  [
    "a SUBACK of 3.1.1 with a Reason Code of MQTT 5",
    4,
    { type: "suback", packetIdentifier: 1, reasonCodes: [0x87] },
  ],
  ["an UNSUBACK of nothing in MQTT 5", 5, { type: "unsuback", packetIdentifier: 1, reasonCodes: [] }],
  ["an UNSUBACK with Reason Codes in 3.1.1", 4, { type: "unsuback", packetIdentifier: 1, reasonCodes: [0] }],
  ["a DISCONNECT of a server in 3.1.1", 4, { type: "disconnect", reasonCode: 0 }],
  [
    "Session Expiry Interval in a server's DISCONNECT",
    5,
    { type: "disconnect", reasonCode: 0, properties: { sessionExpiryInterval: 1 } },
  ],
  [
    "AUTH re-authenticate of a server",
    5,
    { type: "auth", reasonCode: 0x19, properties: { authenticationMethod: "m" } },
  ],
];

for (const [rule, version, packet] of clientRefusals) {
  test(`a client cannot encode ${rule}`, () => {
    assert.throws(() => encodeClientPacket(packet, version), { name: "MqttError", code: "not_encodable" });
  });
}
for (const [rule, version, packet] of serverRefusals) {
  test(`a server cannot encode ${rule}`, () => {
    assert.throws(() => encodeServerPacket(packet, version), { name: "MqttError", code: "not_encodable" });
  });
}

test("the fields of a CONNECT stand in the order of §3.1: properties, Client Identifier, Will, User Name, Password", () => {
  const bytes = encodeClientPacket(
    {
      type: "connect",
      protocolVersion: 5,
      cleanStart: true,
      keepAlive: 10,
      clientIdentifier: "c",
      userName: "u",
      password: Uint8Array.of(0x70),
      will: { topic: "w", payload: Uint8Array.of(1), qos: 1, retain: false },
      properties: { sessionExpiryInterval: 10 },
    },
    5,
  );

  assert.deepEqual(
    bytes,
    Uint8Array.from(
      Buffer.from(
        "1020 00044d515454 05 ce 000a 05 11 0000000a 000163 00 000177 000101 000175 000170".replaceAll(
          " ",
          "",
        ),
        "hex",
      ),
    ),
  );
});

test("a fixed PUBACK has four bytes and both of the identifier's", () => {
  assert.deepEqual(encodePuback(0x1234), Uint8Array.of(0x40, 0x02, 0x12, 0x34));
  assert.throws(() => encodePuback(0), { code: "not_encodable" });
});
