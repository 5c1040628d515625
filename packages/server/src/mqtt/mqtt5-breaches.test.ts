/**
 * Bytes of an MQTT 5 client that break the protocol, each answered by a DISCONNECT with the Reason Code the standard
 * names, and the end of the connection (MQTT 5.0 §4.13). Before the CONNACK the answer is a CONNACK.
 *
 * Bytes are hexadecimal; text in quotes stands for its ASCII. The rules themselves are the codec's
 * (`core/src/mqtt/clauses.test.ts`) and are tried there one by one; here it is seen what they cost the client.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fernPath, type TestClient, World } from "../../test/bridge-world.ts";

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

const topic = "00 14 '/devices/fern/events'";
const filter = "00 14 '/devices/fern/config'";

type Row = readonly [what: string, bytes: string, reasonCode: number];

const malformed: readonly Row[] = [
  ["packet type 0 (table 2-1)", "00 00", 0x81],
  ["reserved flags of a SUBSCRIBE [MQTT-3.8.1-1]", packet("80", `00 01 00 ${filter} 01`), 0x81],
  ["reserved flags of an UNSUBSCRIBE [MQTT-3.10.1-1]", packet("a0", `00 01 00 ${filter}`), 0x81],
  ["reserved flags of a PUBREL [MQTT-3.6.1-1]", packet("60", "00 01"), 0x81],
  ["reserved flags of a DISCONNECT [MQTT-3.14.1-1]", "e1 00", 0x81],
  ["reserved flags of an AUTH [MQTT-3.15.1-1]", "f1 00", 0x81],
  ["a PUBLISH with both QoS bits [MQTT-3.3.1-4]", packet("36", `${topic} 00 01 00`), 0x81],
  ["a PUBLISH of QoS 0 with DUP [MQTT-3.3.1-2]", packet("38", `${topic} 00`), 0x81],
  ["Packet Identifier 0 [MQTT-2.2.1-3]", packet("32", `${topic} 00 00 00`), 0x81],
  ["a Topic Name that is no UTF-8 [MQTT-1.5.4-1]", packet("30", "00 02 c3 28 00"), 0x81],
  ["a Topic Name with a surrogate [MQTT-1.5.4-1]", packet("30", "00 03 ed a0 80 00"), 0x81],
  ["a Topic Name with U+0000 [MQTT-1.5.4-2]", packet("30", "00 02 'a' 00 00"), 0x81],
  ["a Topic Filter with U+0000 [MQTT-4.7.3-2]", packet("82", "00 01 00 00 01 00 00"), 0x81],
  ["a Topic Filter that is no UTF-8 [MQTT-3.8.3-1]", packet("82", "00 01 00 00 01 ff 00"), 0x81],
  ["an UNSUBSCRIBE whose filter is no UTF-8 [MQTT-3.10.3-1]", packet("a2", "00 01 00 00 01 ff"), 0x81],
  [
    "a User Property whose value is no UTF-8 [MQTT-1.5.7-1]",
    packet("30", `${topic} 07 26 00 01 'n' 00 01 ff`),
    0x81,
  ],
  ["a Response Topic that is no UTF-8 [MQTT-3.3.2-13]", packet("30", `${topic} 04 08 00 01 ff`), 0x81],
  ["a Content Type that is no UTF-8 [MQTT-3.3.2-19]", packet("30", `${topic} 04 03 00 01 ff`), 0x81],
  ["a property of another packet (§2.2.2.2)", packet("30", `${topic} 03 21 00 01`), 0x81],
  ["reserved Subscription Options [MQTT-3.8.3-5]", packet("82", `00 01 00 ${filter} 41`), 0x81],
  ["a Remaining Length of five bytes (§1.5.5)", "30 ff ff ff ff 01", 0x81],
];

const protocolErrors: readonly Row[] = [
  ["a second CONNECT [MQTT-3.1.0-2]", packet("10", "00 04 'MQTT' 05 02 00 3c 00 00 01 'c'"), 0x82],
  ["a PUBREC", packet("50", "00 01"), 0x82],
  ["a PUBREL", packet("62", "00 01"), 0x82],
  ["a PUBCOMP", packet("70", "00 01"), 0x82],
  ["a packet of a server", "d0 00", 0x82],
  ["a PUBACK with a Reason Code it cannot carry [MQTT-3.4.2-1]", packet("40", "00 01 01"), 0x82],
  ["a Topic Alias that was never set (§3.3.4)", packet("30", "00 00 03 23 00 03"), 0x82],
  ["neither Topic Name nor Topic Alias (§3.3.2.1)", packet("30", "00 00 00"), 0x82],
  ["a Response Topic with a wildcard [MQTT-3.3.2-14]", packet("30", `${topic} 04 08 00 01 '#'`), 0x82],
  ["Payload Format Indicator 2 (§3.3.2.3.2)", packet("30", `${topic} 02 01 02`), 0x82],
  ["a Subscription Identifier in a PUBLISH [MQTT-3.3.4-6]", packet("30", `${topic} 02 0b 01`), 0x82],
  ["a SUBSCRIBE without a Topic Filter [MQTT-3.8.3-2]", packet("82", "00 01 00"), 0x82],
  ["an UNSUBSCRIBE without a Topic Filter [MQTT-3.10.3-2]", packet("a2", "00 01 00"), 0x82],
  ["an empty Topic Filter [MQTT-4.7.3-1]", packet("82", "00 01 00 00 00 01"), 0x82],
  ["a subscription with QoS 3 (§3.8.3.1)", packet("82", `00 01 00 ${filter} 03`), 0x82],
  ["Retain Handling 3 (§3.8.3.1)", packet("82", `00 01 00 ${filter} 31`), 0x82],
  ["No Local on a Shared Subscription [MQTT-3.8.3-4]", packet("82", "00 01 00 00 0a '$share/g/f' 05"), 0x82],
  ["Subscription Identifier 0 (§3.8.2.1.2)", packet("82", `00 01 02 0b 00 ${filter} 01`), 0x82],
  ["an AUTH where CONNECT named no method [MQTT-4.12.0-7]", packet("f0", "19 04 15 00 01 'm'"), 0x82],
  ["a DISCONNECT with a Reason Code of a server [MQTT-3.14.2-1]", packet("e0", "8b"), 0x82],
  [
    "a DISCONNECT that would begin a Session Expiry Interval (§3.14.2.2.2)",
    packet("e0", "00 05 11 00 00 00 01"),
    0x82,
  ],
];

const named: readonly Row[] = [
  ["Topic Alias 0 [MQTT-3.3.2-8]", packet("30", `${topic} 03 23 00 00`), 0x94],
  ["Topic Alias 17 [MQTT-3.3.2-9]", packet("30", `${topic} 03 23 00 11`), 0x94],
  ["a Topic Name with a wildcard [MQTT-3.3.2-2]", packet("30", "00 03 'a/#' 00"), 0x90],
  ["a Topic Name that does not exist (§3.14.2.1)", packet("30", "00 03 'a/b' 00"), 0x90],
  ["a Topic Name of another device (§3.14.2.1)", packet("30", "00 14 '/devices/moss/events' 00"), 0x87],
];

for (const [what, bytes, reasonCode] of [...malformed, ...protocolErrors, ...named]) {
  test(`${what} is answered by DISCONNECT 0x${reasonCode.toString(16)} [MQTT-4.13.1-1]`, async () => {
    const world = await World.create();
    const client = world.connect(5);
    const before = client.packets.length;

    client.sendBytes(bytesOf(`${bytes} c0 00`)); // What stands behind it is not served.

    assert.deepEqual(
      client.packets.slice(before).map((each) => (each.type === "disconnect" ? each.reasonCode : each.type)),
      [reasonCode],
    );
    // One Reason Code has several causes: the Reason String is the one in our log.
    const cause = client.of("disconnect")[0]?.properties?.reasonString;
    assert.equal(world.diary.lines.at(-1), `disconnected fern ${cause}`);
    assert.equal(client.isClosed, true);
    assert.deepEqual(world.backbone.waiting, []);
    assert.equal(world.bridge.counts().connections, 0);
  });
}

/** CONNECT of 5.0: flags, properties, what follows the Client Identifier. */
function connectOf(flags: string, properties: string, rest = ""): string {
  return packet("10", `00 04 'MQTT' 05 ${flags} 00 3c ${properties} 00 01 'c' ${rest}`);
}

const connects: readonly Row[] = [
  ["the reserved Connect Flag [MQTT-3.1.2-3]", connectOf("03", "00"), 0x81],
  [
    "a Client Identifier that is no UTF-8 [MQTT-3.1.3-4]",
    packet("10", "00 04 'MQTT' 05 02 00 3c 00 00 01 ff"),
    0x81,
  ],
  ["a User Name that is no UTF-8 [MQTT-3.1.3-12]", connectOf("82", "00", "00 01 ff"), 0x81],
  ["a Will Topic that is no UTF-8 [MQTT-3.1.3-11]", connectOf("06", "00", "00 00 01 ff 00 00"), 0x81],
  ["a Will Flag without a Will [MQTT-3.1.2-9]", connectOf("06", "00"), 0x81],
  ["a Password Flag without a Password [MQTT-3.1.2-19]", connectOf("42", "00"), 0x81],
  ["a Password without its flag [MQTT-3.1.2-18]", connectOf("02", "00", "00 01 'p'"), 0x81],
  ["Receive Maximum 0 (§3.1.2.11.3)", connectOf("02", "03 21 00 00"), 0x82],
  ["Maximum Packet Size 0 (§3.1.2.11.4)", connectOf("02", "05 27 00 00 00 00"), 0x82],
  ["Request Response Information 2 (§3.1.2.11.6)", connectOf("02", "02 19 02"), 0x82],
  ["Request Problem Information 2 (§3.1.2.11.7)", connectOf("02", "02 17 02"), 0x82],
  ["two Session Expiry Intervals (§3.1.2.11.2)", connectOf("02", "0a 11 00 00 00 01 11 00 00 00 01"), 0x82],
  ["two Topic Alias Maximums (§3.1.2.11.5)", connectOf("02", "06 22 00 01 22 00 01"), 0x82],
  ["Authentication Data without a Method (§3.1.2.11.10)", connectOf("02", "04 16 00 01 'd'"), 0x82],
  ["an empty Client Identifier [MQTT-3.1.3-8]", packet("10", "00 04 'MQTT' 05 02 00 3c 00 00 00"), 0x85],
  ["another Client Identifier than a device's [MQTT-3.1.3-8]", connectOf("02", "00"), 0x85],
  ["a Will Topic with a wildcard (§3.2.2.2)", connectOf("06", "00", "00 00 01 '#' 00 00"), 0x90],
  ["a Will with Will Retain 1 [MQTT-3.2.2-13]", connectOf("26", "00", "00 00 01 't' 00 00"), 0x9a],
  ["a Will of QoS 2 [MQTT-3.2.2-12]", connectOf("16", "00", "00 00 01 't' 00 00"), 0x9b],
];
for (const [what, bytes, reasonCode] of connects) {
  test(`a CONNECT with ${what} is answered by CONNACK 0x${reasonCode.toString(16)} and closed [MQTT-3.1.4-1]`, async () => {
    const world = await World.create();
    const client = world.open(5);

    client.sendBytes(bytesOf(`${bytes} ${packet("32", `${topic} 00 01 00`)}`));
    await world.time.advance(10);

    assert.deepEqual(client.packets, [{ type: "connack", sessionPresent: false, reasonCode }]);
    assert.equal(client.isClosed, true);
    assert.deepEqual(world.backbone.waiting, []); // MQTT-3.1.4-6
  });
}

test("what follows a CONNECT that admission refuses is not processed [MQTT-3.1.4-6]", async () => {
  const world = await World.create();
  const client: TestClient = world.open(5);
  client.send(
    { type: "connect", protocolVersion: 5, cleanStart: true, keepAlive: 0, clientIdentifier: fernPath },
    { type: "pingreq" },
  );
  client.publish(1);
  await world.time.advance(10);

  assert.deepEqual(
    client.packets.map(({ type }) => type),
    ["connack"],
  );
  assert.deepEqual(world.backbone.waiting, []);
});

test("who sends on behind a CONNECT that is not answered yet, past a paused link, gets CONNACK 0x97 beyond 352 KiB", async () => {
  const world = await World.create({
    wrap: (store) => {
      store.lookUpAdmission = () => undefined;
      return store;
    },
  });
  const client = world.connect(5);
  client.sendBytes(new Uint8Array(200 * 1024));
  const { isPaused } = client;
  client.sendBytes(new Uint8Array(152 * 1024));
  const within = client.isClosed;

  client.sendBytes(new Uint8Array(1));

  assert.deepEqual([isPaused, within], [true, false]);
  assert.deepEqual(client.packets, [{ type: "connack", sessionPresent: false, reasonCode: 0x97 }]);
  assert.equal(client.isClosed, true);
});
