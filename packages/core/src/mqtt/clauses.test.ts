/**
 * The rules of the standard that bytes can break, one row each: the clause, the bytes, the error.
 *
 * Most of MQTT's own test suites are about sessions; these are about packets. Bytes are hexadecimal; text in
 * quotes stands for its ASCII.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ClientDecoder } from "./client-decoder.ts";
import type { MqttErrorCode } from "./error.ts";
import type { MqttPacket, ProtocolVersion } from "./packets.ts";
import { ServerDecoder } from "./server-decoder.ts";

type Row = readonly [rule: string, bytes: string, code: MqttErrorCode];

const MAXIMUM_PACKET_SIZE = 1_024;
const connect: Record<ProtocolVersion, string> = {
  4: "10 0d 00 04 'MQTT' 04 02 00 3c 00 01 'c'",
  5: "10 0e 00 04 'MQTT' 05 02 00 3c 00 00 01 'c'",
};
const connack: Record<ProtocolVersion, string> = { 4: "20 02 00 00", 5: "20 03 00 00 00" };

function bytesOf(text: string): Uint8Array {
  const parts = text.match(/'[^']*'|[0-9a-f]{2}/g) ?? [];
  return Buffer.concat(
    parts.map((part) => (part.startsWith("'") ? Buffer.from(part.slice(1, -1)) : Buffer.from(part, "hex"))),
  );
}

/** A packet whose Remaining Length is counted. */
function packet(firstByte: string, body: string): string {
  const length = bytesOf(body).length;
  assert.ok(length < 128);
  return `${firstByte} ${length.toString(16).padStart(2, "0")} ${body}`;
}

/** The last packet of the bytes. */
function atServer(...texts: string[]): MqttPacket | undefined {
  return last(new ServerDecoder({ maximumPacketSize: MAXIMUM_PACKET_SIZE }), texts);
}

function atClient(protocolVersion: ProtocolVersion, ...texts: string[]): MqttPacket | undefined {
  return last(new ClientDecoder({ protocolVersion, maximumPacketSize: MAXIMUM_PACKET_SIZE }), texts);
}

function last(decoder: ServerDecoder | ClientDecoder, texts: string[]): MqttPacket | undefined {
  let found: MqttPacket | undefined;
  for (const text of texts) decoder.push(bytesOf(text));
  for (let one = decoder.next(); one !== undefined; one = decoder.next()) found = one;
  return found;
}

const connects: readonly Row[] = [
  ["a first packet that is no CONNECT [MQTT-3.1.0-1]", "c0 00", "protocol_error"],
  ["a second CONNECT [MQTT-3.1.0-2]", `${connect[4]} ${connect[4]}`, "protocol_error"],
  ["MQTT 3.1", packet("10", "00 06 'MQIsdp' 03 02 00 3c 00 01 'c'"), "unsupported_protocol_version"],
  [
    "protocol level 6 [MQTT-3.1.2-2]",
    packet("10", "00 04 'MQTT' 06 02 00 3c 00 00 01 'c'"),
    "unsupported_protocol_version",
  ],
  [
    "a bridge's level 0x84",
    packet("10", "00 04 'MQTT' 84 02 00 3c 00 01 'c'"),
    "unsupported_protocol_version",
  ],
  [
    "another protocol name [MQTT-3.1.2-1]",
    packet("10", "00 04 'mqtt' 04 02 00 3c 00 01 'c'"),
    "unsupported_protocol_version",
  ],
  [
    "the reserved Connect Flag [MQTT-3.1.2-3]",
    packet("10", "00 04 'MQTT' 04 03 00 3c 00 01 'c'"),
    "malformed_packet",
  ],
  [
    "Will QoS without a Will [MQTT-3.1.2-11]",
    packet("10", "00 04 'MQTT' 05 0a 00 3c 00 00 01 'c'"),
    "malformed_packet",
  ],
  [
    "Will Retain without a Will [MQTT-3.1.2-13]",
    packet("10", "00 04 'MQTT' 05 22 00 3c 00 00 01 'c'"),
    "malformed_packet",
  ],
  [
    "Will QoS 3 [MQTT-3.1.2-12]",
    packet("10", "00 04 'MQTT' 04 1e 00 3c 00 01 'c' 00 01 't' 00 00"),
    "malformed_packet",
  ],
  ["a Will Flag without a Will", packet("10", "00 04 'MQTT' 04 06 00 3c 00 01 'c'"), "malformed_packet"],
  [
    "a Will Topic with a wildcard [MQTT-4.7.0-1]",
    packet("10", "00 04 'MQTT' 04 06 00 3c 00 01 'c' 00 01 '#' 00 00"),
    "topic_name_invalid",
  ],
  [
    "an empty Will Topic [MQTT-4.7.3-1]",
    packet("10", "00 04 'MQTT' 04 06 00 3c 00 01 'c' 00 00 00 00"),
    "topic_name_invalid",
  ],
  ["a User Name Flag without one", packet("10", "00 04 'MQTT' 04 82 00 3c 00 01 'c'"), "malformed_packet"],
  ["bytes after the last field", packet("10", "00 04 'MQTT' 04 02 00 3c 00 01 'c' 00"), "malformed_packet"],
  [
    "a Client Identifier that holds U+0000 [MQTT-1.5.4-2]",
    packet("10", "00 04 'MQTT' 04 02 00 3c 00 01 00"),
    "malformed_packet",
  ],
  [
    "Authentication Data without its Method (§3.1.2.11.10)",
    packet("10", "00 04 'MQTT' 05 02 00 3c 04 16 00 01 'd' 00 01 'c'"),
    "protocol_error",
  ],
  [
    "a repeated Session Expiry Interval (§3.1.2.11.2)",
    packet("10", "00 04 'MQTT' 05 02 00 3c 0a 11 00 00 00 01 11 00 00 00 01 00 01 'c'"),
    "protocol_error",
  ],
  [
    "Receive Maximum 0 (§3.1.2.11.3)",
    packet("10", "00 04 'MQTT' 05 02 00 3c 03 21 00 00 00 01 'c'"),
    "protocol_error",
  ],
  [
    "Maximum Packet Size 0 (§3.1.2.11.4)",
    packet("10", "00 04 'MQTT' 05 02 00 3c 05 27 00 00 00 00 00 01 'c'"),
    "protocol_error",
  ],
  [
    "Request Problem Information 2 (§3.1.2.11.7)",
    packet("10", "00 04 'MQTT' 05 02 00 3c 02 17 02 00 01 'c'"),
    "protocol_error",
  ],
  [
    "a property of another packet (§2.2.2.2)",
    packet("10", "00 04 'MQTT' 05 02 00 3c 03 23 00 01 00 01 'c'"),
    "malformed_packet",
  ],
  [
    "an unknown property (§2.2.2.2)",
    packet("10", "00 04 'MQTT' 05 02 00 3c 02 04 01 00 01 'c'"),
    "malformed_packet",
  ],
  [
    "a property identifier longer than needed [MQTT-1.5.5-1]",
    packet("10", "00 04 'MQTT' 05 02 00 3c 03 97 00 01 00 01 'c'"),
    "malformed_packet",
  ],
  [
    "a property that reaches past the property length",
    packet("10", "00 04 'MQTT' 05 02 00 3c 02 21 00 01 00 01 'c'"),
    "malformed_packet",
  ],
  [
    "a property length past the end",
    packet("10", "00 04 'MQTT' 05 02 00 3c 7f 00 01 'c'"),
    "malformed_packet",
  ],
  [
    "Will Delay Interval outside the Will Properties",
    packet("10", "00 04 'MQTT' 05 02 00 3c 05 18 00 00 00 01 00 01 'c'"),
    "malformed_packet",
  ],
];

const fromClient: readonly (readonly [ProtocolVersion, ...Row])[] = [
  [4, "a Topic Name with a wildcard [MQTT-3.3.2-2]", packet("30", "00 03 'a/+'"), "topic_name_invalid"],
  [5, "a Topic Name with a wildcard [MQTT-3.3.2-2]", packet("30", "00 03 'a/#' 00"), "topic_name_invalid"],
  [4, "an empty Topic Name [MQTT-4.7.3-1]", packet("30", "00 00"), "protocol_error"],
  [5, "neither Topic Name nor Topic Alias (§3.3.2.1)", packet("30", "00 00 00"), "protocol_error"],
  [5, "Topic Alias 0 [MQTT-3.3.2-8]", packet("30", "00 00 03 23 00 00"), "topic_alias_invalid"],
  [5, "two Topic Aliases (§3.3.2.3.4)", packet("30", "00 00 06 23 00 01 23 00 01"), "protocol_error"],
  [
    5,
    "a Subscription Identifier from a client [MQTT-3.3.4-6]",
    packet("30", "00 01 't' 02 0b 01"),
    "protocol_error",
  ],
  [
    5,
    "a Response Topic with a wildcard [MQTT-3.3.2-14]",
    packet("30", "00 01 't' 04 08 00 01 '#'"),
    "protocol_error",
  ],
  [5, "Payload Format Indicator 2 (§3.3.2.3.2)", packet("30", "00 01 't' 02 01 02"), "protocol_error"],
  [4, "PUBLISH with Packet Identifier 0 [MQTT-2.3.1-1]", packet("32", "00 01 't' 00 00"), "malformed_packet"],
  [4, "PUBLISH without its Packet Identifier", packet("32", "00 01 't'"), "malformed_packet"],
  [4, "a PUBACK with more than a Packet Identifier in 3.1.1", packet("40", "00 01 00"), "malformed_packet"],
  [
    5,
    "PUBACK with the Reason Code of another packet [MQTT-3.4.2-1]",
    packet("40", "00 01 01"),
    "protocol_error",
  ],
  [
    5,
    "PUBREL with the Reason Code of another packet [MQTT-3.6.2-1]",
    packet("62", "00 01 10"),
    "protocol_error",
  ],
  [5, "bytes after a PUBACK's properties", packet("40", "00 01 00 00 00"), "malformed_packet"],
  [4, "SUBSCRIBE without a Topic Filter [MQTT-3.8.3-3]", packet("82", "00 01"), "protocol_error"],
  [5, "SUBSCRIBE without a Topic Filter [MQTT-3.8.3-2]", packet("82", "00 01 00"), "protocol_error"],
  [5, "an empty Topic Filter [MQTT-4.7.3-1]", packet("82", "00 01 00 00 00 00"), "protocol_error"],
  [
    4,
    "reserved bits beside the requested QoS [MQTT-3-8.3-4]",
    packet("82", "00 01 00 01 'f' 04"),
    "malformed_packet",
  ],
  [
    5,
    "reserved Subscription Options [MQTT-3.8.3-5]",
    packet("82", "00 01 00 00 01 'f' 40"),
    "malformed_packet",
  ],
  [5, "a subscription with QoS 3 (§3.8.3.1)", packet("82", "00 01 00 00 01 'f' 03"), "protocol_error"],
  [5, "Retain Handling 3 (§3.8.3.1)", packet("82", "00 01 00 00 01 'f' 30"), "protocol_error"],
  [
    5,
    "No Local on a Shared Subscription [MQTT-3.8.3-4]",
    packet("82", "00 01 00 00 0a '$share/g/f' 04"),
    "protocol_error",
  ],
  [
    5,
    "Subscription Identifier 0 (§3.8.2.1.2)",
    packet("82", "00 01 02 0b 00 00 01 'f' 00"),
    "protocol_error",
  ],
  [
    5,
    "two Subscription Identifiers (§3.8.2.1.2)",
    packet("82", "00 01 04 0b 01 0b 02 00 01 'f' 00"),
    "protocol_error",
  ],
  [4, "UNSUBSCRIBE without a Topic Filter [MQTT-3.10.3-2]", packet("a2", "00 01"), "protocol_error"],
  [4, "PINGREQ with a body", packet("c0", "00"), "malformed_packet"],
  [4, "DISCONNECT with a body in 3.1.1", packet("e0", "00"), "malformed_packet"],
  [5, "DISCONNECT with a Reason Code of a server (table 3-10)", packet("e0", "8b"), "protocol_error"],
  [4, "AUTH in 3.1.1", packet("f0", ""), "protocol_error"],
  [5, "AUTH with a Reason Code of a server (table 3-11)", packet("f0", ""), "protocol_error"],
  [5, "AUTH without Authentication Method (§3.15.2.2.2)", packet("f0", "18 00"), "protocol_error"],
  [5, "AUTH with a Reason Code alone", packet("f0", "19"), "malformed_packet"],
  [4, "a packet of a server: CONNACK", "20 02 00 00", "protocol_error"],
  [5, "a packet of a server: PINGRESP", "d0 00", "protocol_error"],
];

const fromServer: readonly (readonly [ProtocolVersion, ...Row])[] = [
  [4, "a first packet that is no CONNACK [MQTT-3.2.0-1]", "d0 00", "protocol_error"],
  [5, "a second CONNACK [MQTT-3.2.0-2]", `${connack[5]} ${connack[5]}`, "protocol_error"],
  [5, "reserved flags of CONNACK [MQTT-3.2.2-1]", "20 03 02 00 00", "malformed_packet"],
  [4, "return code 6", "20 02 00 06", "protocol_error"],
  [5, "a Reason Code CONNACK cannot carry [MQTT-3.2.2-8]", "20 03 00 04 00", "protocol_error"],
  [4, "Session Present in a refusal [MQTT-3.2.2-4]", "20 02 01 05", "protocol_error"],
  [5, "Session Present in a refusal [MQTT-3.2.2-6]", "20 03 01 87 00", "protocol_error"],
  [5, "the refusal of a server that knows 3.1.1 only", "20 02 00 01", "unsupported_protocol_version"],
  [5, "Maximum QoS 2 (§3.2.2.3.4)", "20 05 00 00 02 24 02", "protocol_error"],
  [5, "Receive Maximum 0 (§3.2.2.3.3)", "20 06 00 00 03 21 00 00", "protocol_error"],
  [4, "SUBACK without a return code", `${connack[4]} 90 02 00 01`, "protocol_error"],
  [4, "SUBACK with a reserved return code [MQTT-3.9.3-2]", `${connack[4]} 90 03 00 01 03`, "protocol_error"],
  [5, "UNSUBACK without a Reason Code (§3.11.3)", `${connack[5]} b0 03 00 01 00`, "protocol_error"],
  [4, "UNSUBACK with a payload in 3.1.1", `${connack[4]} b0 03 00 01 00`, "malformed_packet"],
  [4, "DISCONNECT of a server in 3.1.1", `${connack[4]} e0 00`, "protocol_error"],
  [5, "DISCONNECT with a Reason Code of a client (table 3-10)", `${connack[5]} e0 01 04`, "protocol_error"],
  [
    5,
    "Session Expiry Interval in a server's DISCONNECT [MQTT-3.14.2-2]",
    `${connack[5]} e0 07 00 05 11 00 00 00 01`,
    "protocol_error",
  ],
  [5, "AUTH with a Reason Code of a client (table 3-11)", "f0 06 19 04 15 00 01 'm'", "protocol_error"],
];

for (const [rule, bytes, code] of connects) {
  test(`a server refuses ${rule}`, () => {
    assert.throws(() => atServer(bytes), { name: "MqttError", code });
  });
}
for (const [version, rule, bytes, code] of fromClient) {
  test(`a server of ${version === 4 ? "3.1.1" : "5.0"} refuses ${rule}`, () => {
    assert.throws(() => atServer(connect[version], bytes), { name: "MqttError", code });
  });
}
for (const [version, rule, bytes, code] of fromServer) {
  test(`a client of ${version === 4 ? "3.1.1" : "5.0"} refuses ${rule}`, () => {
    assert.throws(() => atClient(version, bytes), { name: "MqttError", code });
  });
}

test("MQTT 5 shortens PUBACK to its Packet Identifier, then to its Reason Code", () => {
  const success = { type: "puback", packetIdentifier: 1, reasonCode: 0 };

  assert.deepEqual(atServer(connect[5], "40 02 00 01"), success);
  assert.deepEqual(atServer(connect[5], "40 03 00 01 10"), { ...success, reasonCode: 0x10 });
  assert.deepEqual(atServer(connect[5], "40 04 00 01 00 00"), success);
});

test("MQTT 5 shortens DISCONNECT and AUTH to a fixed header", () => {
  assert.deepEqual(atServer(connect[5], "e0 00"), { type: "disconnect", reasonCode: 0 });
  assert.deepEqual(atServer(connect[5], "e0 01 04"), { type: "disconnect", reasonCode: 4 });
  assert.deepEqual(atServer(connect[5], "e0 02 04 00"), { type: "disconnect", reasonCode: 4 });
  assert.deepEqual(atClient(5, "f0 00"), { type: "auth", reasonCode: 0 });
});

test("a server may send AUTH before CONNACK", () => {
  const auth = atClient(5, "f0 06 18 04 15 00 01 'm'");

  assert.deepEqual(auth, { type: "auth", reasonCode: 0x18, properties: { authenticationMethod: "m" } });
});

for (const [version, bytes] of [
  ["MQTT 5", "00 04 'MQTT' 05 42 00 3c 00 00 01 'c' 00 01 'p'"],
  ["3.1.1, whatever MQTT-3.1.2-22 says", "00 04 'MQTT' 04 42 00 3c 00 01 'c' 00 01 'p'"],
] as const) {
  test(`a Password without a User Name is taken in ${version}`, () => {
    const found = atServer(packet("10", bytes));

    assert.deepEqual(found?.type === "connect" ? found.password : undefined, Uint8Array.of(0x70));
  });
}

test("an empty Client Identifier is left to the bridge to judge", () => {
  const found = atServer(packet("10", "00 04 'MQTT' 04 00 00 3c 00 00"));

  assert.deepEqual(found, {
    type: "connect",
    protocolVersion: 4,
    cleanStart: false,
    keepAlive: 60,
    clientIdentifier: "",
  });
});

test("the version is known where a CONNECT was refused after its protocol level", () => {
  const decoder = new ServerDecoder({ maximumPacketSize: MAXIMUM_PACKET_SIZE });
  assert.equal(decoder.protocolVersion, undefined);
  decoder.push(bytesOf(packet("10", "00 04 'MQTT' 05 03 00 3c 00 00 01 'c'")));

  assert.throws(() => decoder.next(), { code: "malformed_packet" });

  assert.equal(decoder.protocolVersion, 5);
});

test("a Topic Name that repeats is checked as if it were new", () => {
  const decoder = new ServerDecoder({ maximumPacketSize: MAXIMUM_PACKET_SIZE });
  decoder.push(bytesOf(`${connect[4]} ${packet("30", "00 02 c3 a9")} ${packet("30", "00 01 e9")}`));
  decoder.next();
  const first = decoder.next();

  assert.equal(first?.type === "publish" ? first.topic : undefined, "é");
  assert.throws(() => decoder.next(), { code: "malformed_packet" });
});

test("an error never quotes what was received", () => {
  const secret = "hunter2";
  const attempts = [
    packet("10", `00 04 'MQTT' 04 43 00 3c 00 01 'c' 00 07 '${secret}'`),
    packet("10", `00 04 'MQTT' 05 02 00 3c 0a 16 00 07 '${secret}' 00 01 'c'`),
    packet("10", `00 07 '${secret}' 04 02 00 3c 00 01 'c'`),
  ];
  for (const attempt of attempts) {
    assert.throws(
      () => atServer(attempt),
      (error: Error & { facts?: unknown }) =>
        !`${error.message} ${JSON.stringify(error.facts)}`.includes(secret),
    );
  }
});
