/**
 * What CONNACK announces (MQTT 5.0 §3.2.2.3), one row for each property: its value, who goes beyond it, and the
 * Reason Code that answers.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Properties, SubscribePacket } from "@mayfly/core/mqtt";
import { encodePublish } from "@mayfly/core/mqtt-client";
import { publishOf, type TestClient, World } from "../../test/bridge-world.ts";

interface Announcement {
  readonly property: keyof Properties;
  readonly value: number;
  readonly clause: string;
  readonly breach: string;
  readonly commit: (client: TestClient, world: World) => unknown;
  readonly reasonCode: number;
}

function subscribeOf(topicFilter: string, extra: Pick<SubscribePacket, "properties"> = {}): SubscribePacket {
  const options = { qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
  return { type: "subscribe", packetIdentifier: 7, subscriptions: [{ topicFilter, ...options }], ...extra };
}

const announcements: readonly Announcement[] = [
  {
    property: "receiveMaximum",
    value: 20,
    clause: "MQTT-3.3.4-7",
    breach: "a 21st PUBLISH while 20 are unacknowledged",
    commit: (client) => client.send(...Array.from({ length: 21 }, (_, index) => publishOf(index + 1))),
    reasonCode: 0x93,
  },
  {
    property: "maximumQoS",
    value: 1,
    clause: "MQTT-3.2.2-11",
    breach: "a PUBLISH of QoS 2",
    commit: (client) => client.send({ ...publishOf(1), qos: 2 }),
    reasonCode: 0x9b,
  },
  {
    property: "retainAvailable",
    value: 0,
    clause: "MQTT-3.2.2-14",
    breach: "a PUBLISH with RETAIN 1",
    commit: (client) => client.publish(1, { retain: true }),
    reasonCode: 0x9a,
  },
  {
    property: "maximumPacketSize",
    value: 294_912,
    clause: "MQTT-3.2.2-15",
    breach: "the fixed header of a packet of 294,913 bytes",
    // Remaining Length 294,909, and four bytes before it.
    commit: (client) => client.sendBytes(Uint8Array.of(0x30, 0xfd, 0xff, 0x11)),
    reasonCode: 0x95,
  },
  {
    property: "topicAliasMaximum",
    value: 16,
    clause: "MQTT-3.2.2-17",
    breach: "Topic Alias 17",
    commit: (client) => client.send({ ...publishOf(0), properties: { topicAlias: 17 } }),
    reasonCode: 0x94,
  },
  {
    property: "subscriptionIdentifiersAvailable",
    value: 0,
    clause: "§3.2.2.3.12",
    breach: "a SUBSCRIBE with a Subscription Identifier",
    commit: (client) =>
      client.send(subscribeOf("/devices/fern/config", { properties: { subscriptionIdentifiers: [1] } })),
    reasonCode: 0xa1,
  },
  {
    property: "sharedSubscriptionAvailable",
    value: 0,
    clause: "§3.2.2.3.13",
    breach: "a SUBSCRIBE with a Shared Subscription",
    commit: (client) => client.send(subscribeOf("$share/g//devices/fern/commands/#")),
    reasonCode: 0x9e,
  },
  {
    property: "serverKeepAlive",
    value: 1_200,
    clause: "MQTT-3.1.2-22",
    breach: "silence of one and a half times as long",
    commit: (_, world) => world.time.advance(1_800_000),
    reasonCode: 0x8d,
  },
];

for (const { property, value, clause, breach, commit, reasonCode } of announcements) {
  test(`CONNACK announces ${property} ${value}, and ${breach} ends the connection with 0x${reasonCode.toString(16)} [${clause}]`, async () => {
    const world = await World.create();
    const client = world.connect(5, { token: world.key.token({ exp: 1_700_000_000 + 7_200 }) });

    await commit(client, world);

    assert.equal(client.of("connack")[0]?.properties?.[property], value);
    assert.deepEqual(
      client.of("disconnect").map((packet) => packet.reasonCode),
      [reasonCode],
    );
    assert.equal(client.isClosed, true);
    assert.equal(client.packets.at(-1)?.type, "disconnect"); // MQTT-3.14.4-1
    assert.deepEqual(client.of("puback"), []);
  });
}

test("up to what CONNACK announces everything is taken: 20 PUBLISHes at once, Topic Aliases 1 and 16 [MQTT-3.3.2-12]", async () => {
  const world = await World.create();
  const client = world.connect(5);

  client.send(
    ...Array.from({ length: 20 }, (_, index) => ({
      ...publishOf(index + 1),
      ...(index === 0 || index === 15 ? { properties: { topicAlias: index + 1 } } : undefined),
    })),
  );
  while (world.backbone.waiting.length > 0) world.backbone.answer(0);
  await world.time.advance(0);

  assert.equal(client.of("puback").length, 20);
  assert.equal(client.isClosed, false);
});

test("a packet of exactly the announced Maximum Packet Size is taken", async () => {
  const world = await World.create();
  const client = world.connect(5);
  const sized = (padding: number) =>
    encodePublish(
      {
        ...publishOf(1),
        payload: Buffer.alloc(262_144),
        properties: { userProperties: [["padding", "x".repeat(padding)]] },
      },
      5,
    );
  const bytes = sized(294_912 - sized(20_000).length + 20_000);

  client.sendBytes(bytes);
  world.backbone.answer(0);
  await world.time.advance(0);

  assert.equal(bytes.length, 294_912);
  assert.equal(client.of("puback").length, 1);
});

test("Wildcard Subscription Available is 1 for commands/# alone: every other wildcard gets 0xA2 in its SUBACK, a malformed one 0x8F (§3.2.2.3.11)", async () => {
  const world = await World.create();
  const client = world.connect(5);
  const filters = [
    ...["/devices/fern/commands/#", "/devices/fern/commands/+", "/devices/fern/#", "/devices/+/commands/#"],
    ...["#", "+", "+/#", "/devices/fern/commands/valve/#", "commands#", "a/#/b", "+a"],
  ];

  for (const filter of filters) client.send(subscribeOf(filter));

  const [connack] = client.of("connack");
  assert.equal(connack?.properties?.wildcardSubscriptionAvailable, 1);
  assert.deepEqual(
    client.of("suback").map(({ reasonCodes }) => reasonCodes[0]),
    [1, 0xa2, 0xa2, 0xa2, 0xa2, 0xa2, 0xa2, 0xa2, 0x8f, 0x8f, 0x8f],
  );
  assert.deepEqual(world.bridge.findSession(world.device())?.subscriptions, ["commands"]);
});

test("to 3.1.1, which was announced nothing, a Shared Subscription and a wildcard are filters that fail with 0x80", async () => {
  const world = await World.create();
  const client = world.connect(4);

  client.subscribe("$share/g//devices/fern/commands/#");
  client.subscribe("#");

  assert.deepEqual(
    client.of("suback").map(({ reasonCodes }) => reasonCodes),
    [[0x80], [0x80]],
  );
  assert.equal(client.isClosed, false);
});

test("a SUBSCRIBE that ends the connection changes nothing: filters before the one that breaches are not granted", async () => {
  const world = await World.create();
  const client = world.connect(5, { cleanStart: false, properties: { sessionExpiryInterval: 600 } });
  const options = { qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;

  client.send({
    type: "subscribe",
    packetIdentifier: 1,
    subscriptions: ["/devices/fern/commands/#", "$share/g/x"].map((topicFilter) => ({
      topicFilter,
      ...options,
    })),
  });
  await world.time.advance(0);
  const next = world.connect(5, { cleanStart: false, properties: { sessionExpiryInterval: 600 } });
  await world.time.advance(0);

  assert.equal(client.of("suback").length, 0);
  assert.equal(next.of("connack")[0]?.sessionPresent, true);
  assert.deepEqual(world.bridge.findSession(world.device())?.subscriptions, []);
});

test("Server Keep Alive is told only where the client's own does not stand (§3.2.2.3.14)", async () => {
  const world = await World.create();

  const told = [0, 1, 1_200, 1_201, 65_535].map((keepAlive) => {
    const [connack] = world.connect(5, { keepAlive }).of("connack");
    return connack?.properties?.serverKeepAlive;
  });

  assert.deepEqual(told, [1_200, undefined, undefined, 1_200, 1_200]);
});

test("without Server Keep Alive the client's own holds, one and a half times [MQTT-3.1.2-22, MQTT-3.2.2-22]", async () => {
  const world = await World.create();
  const client = world.connect(5, { keepAlive: 10 });

  await world.time.advance(14_999);
  const before = client.isClosed;
  await world.time.advance(1);

  assert.equal(before, false);
  assert.equal(client.of("disconnect")[0]?.reasonCode, 0x8d);
});

test("CONNACK assigns no Client Identifier, names no other server and no Response Information, asked for or not [MQTT-3.1.2-28]", async () => {
  const world = await World.create();

  const clients = ([0, 1, undefined] as const).map((asked) =>
    world.connect(5, asked === undefined ? {} : { properties: { requestResponseInformation: asked } }),
  );

  for (const client of clients) {
    const properties = client.of("connack")[0]?.properties ?? {};
    assert.deepEqual(
      ["assignedClientIdentifier", "serverReference", "responseInformation"].filter(
        (name) => name in properties,
      ),
      [],
    );
  }
});
