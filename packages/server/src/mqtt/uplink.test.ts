import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeClientPacket } from "@mayfly/core/mqtt-client";
import fc from "fast-check";
import { publishOf, type TestClient, World } from "../../test/bridge-world.ts";
import { StoreError } from "../registry/store.ts";
import { heldBytesMax, heldBytesTotalMax, receiveMaximum } from "./limits.ts";

const pubacks = (client: TestClient) => client.of("puback").map(({ packetIdentifier }) => packetIdentifier);

test("a PUBACK leaves only after the store said durable", async () => {
  const world = await World.create();
  const client = world.connect();
  client.publish(7);
  await world.time.advance(100);
  const before = pubacks(client);

  world.backbone.answer(0);
  await world.time.advance(0);

  assert.deepEqual(before, []);
  assert.deepEqual(pubacks(client), [7]);
  assert.deepEqual(world.diary.acknowledgedMillis, [100]);
});

test("what is stored is what was sent: subfolder, payload, device, the device's own message id", async () => {
  const world = await World.create();
  const client = world.connect(5);

  client.send({
    ...publishOf(1, { topic: "/devices/fern/events/air/humid", payload: "41 %" }),
    properties: { userProperties: [["id", "m-17"]] },
  } as never);

  const message = world.backbone.waiting[0]?.message;
  assert.equal(message?.subfolder, "air/humid");
  assert.equal(Buffer.from(message?.payload ?? []).toString(), "41 %");
  assert.equal(message?.deviceId, "fern");
  assert.equal(message?.deviceMessageId, "m-17");
});

test("a message sent again over a new connection is stored once, and acknowledged when the first copy is durable", async () => {
  const world = await World.create();
  const identified = { ...publishOf(1), properties: { userProperties: [["id", "m-17"]] } } as never;
  const first = world.connect(5);
  first.send(identified);
  first.lose();
  const second = world.connect(5);
  second.send(identified);
  await world.time.advance(100);
  const before = [pubacks(second), world.backbone.waiting.length];

  world.backbone.answer(0);
  await world.time.advance(0);
  second.send(identified);
  await world.time.advance(0);

  assert.deepEqual(before, [[], 1]);
  assert.deepEqual([pubacks(second), world.backbone.waiting.length], [[1, 1], 0]);
});

test("PUBACKs keep the order of arrival, whatever order the store answers in", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(100), { minLength: 1, maxLength: 20 }), async (picks) => {
      const world = await World.create();
      const client = world.connect();
      for (let id = 1; id <= picks.length; id++) client.publish(id);

      for (const pick of picks) {
        world.backbone.answer(pick % world.backbone.waiting.length);
        await world.time.advance(0);
      }

      assert.deepEqual(
        pubacks(client),
        picks.map((_, index) => index + 1),
      );
    }),
    { numRuns: 30 },
  );
});

test("the PUBACKs of one batch leave in one write", async () => {
  const world = await World.create();
  const client = world.connect();
  for (let id = 1; id <= 20; id++) client.publish(id);
  await world.time.advance(0);
  const before = client.writes;

  for (let id = 1; id <= 20; id++) world.backbone.answer(0);
  await world.time.advance(0);

  assert.equal(pubacks(client).length, 20);
  assert.equal(client.writes - before, 1);
});

test("a 5.0 client that goes beyond the Receive Maximum is told 0x93", async () => {
  const world = await World.create();
  const client = world.connect(5);
  for (let id = 1; id <= receiveMaximum; id++) client.publish(id);
  const before = client.isClosed;

  client.publish(receiveMaximum + 1);

  assert.equal(before, false);
  assert.equal(client.of("disconnect")[0]?.reasonCode, 0x93);
  assert.equal(world.backbone.waiting.length, receiveMaximum);
});

test("a 3.1.1 client may send more, and no more than 20 are with the store at once", async () => {
  const world = await World.create();
  const client = world.connect();

  for (let id = 1; id <= 50; id++) client.publish(id);
  const most = world.backbone.waiting.length;
  while (world.backbone.waiting.length > 0) {
    assert.ok(world.backbone.waiting.length <= receiveMaximum);
    world.backbone.answer(0);
  }
  await world.time.advance(0);

  assert.equal(most, receiveMaximum);
  assert.deepEqual(
    pubacks(client),
    Array.from({ length: 50 }, (_, index) => index + 1),
  );
});

test("reading stops when 64 KiB of PUBLISHes are held, and goes on when there is room", async () => {
  const world = await World.create();
  const client = world.connect();
  const payload = "x".repeat(4_000);
  let id = 0;

  while (!client.isPaused) client.publish(++id, { payload });
  const { held, heldBytes } = world.bridge.counts();
  // What was under way when reading stopped, in the link's buffers.
  for (let more = 0; more < 5; more++) client.publish(++id, { payload });
  assert.equal(world.bridge.counts().held, held);
  while (world.backbone.waiting.length > 0) world.backbone.answer(0);
  await world.time.advance(0);

  assert.ok(heldBytes >= heldBytesMax && heldBytes < heldBytesMax + 4_100);
  assert.equal(client.isPaused, false);
  assert.equal(pubacks(client).length, id);
  assert.equal(world.bridge.counts().heldBytes, 0);
});

test("all connections together hold at most 64 MiB; beyond it one message held stops the reading", async () => {
  const world = await World.create({ policy: { duplicateKeys: "report" } });
  const connect = async (device: string) => {
    await world.createDevice(device, [world.key.record]);
    const client = world.connect(4, {
      clientIdentifier: `projects/mayfly/locations/here/registries/greenhouse/devices/${device}`,
    });
    await world.time.advance(0);
    const topic = `/devices/${device}/events`;
    for (let id = 1; id <= receiveMaximum; id++) client.publish(id, { topic, payload: "" });
    return { client, topic };
  };
  const large = "x".repeat(262_144);
  for (let i = 0; world.bridge.counts().heldBytes < heldBytesTotalMax; i++) {
    const { client, topic } = await connect(`dev${i}`);
    client.publish(21, { topic, payload: large });
  }

  const { client, topic } = await connect("last");
  const before = client.isPaused;
  client.publish(21, { topic, payload: "" });
  const after = client.isPaused;
  while (world.backbone.waiting.length > 0) world.backbone.answer(world.backbone.waiting.length - 1);

  assert.deepEqual([before, after, client.isPaused], [false, true, false]);
  assert.equal(world.bridge.counts().heldBytes, 0);
});

test("held PUBLISHes count for more than their payload, so that empty ones are bounded too", async () => {
  const world = await World.create();
  const client = world.connect();
  let id = 0;

  while (!client.isPaused) client.publish(++id, { payload: "" });

  assert.equal(id, receiveMaximum + heldBytesMax / 64);
});

test("a peer that goes on sending into a paused link is ended, not remembered", async () => {
  const world = await World.create();
  const client = world.connect();
  const packet = encodeClientPacket(publishOf(9, { payload: "x".repeat(60_000) }), 4);

  let sent = 0;
  while (!client.isClosed && sent < 100) {
    client.sendBytes(packet);
    sent += 1;
  }

  assert.ok(sent < 30 + receiveMaximum);
  assert.equal(client.isClosed, true);
});

test("PINGREQ, PUBACK and SUBSCRIBE behind waiting PUBLISHes are served", async () => {
  const world = await World.create();
  const client = world.connect();
  for (let id = 1; id <= 30; id++) client.publish(id);

  client.send({ type: "pingreq" });
  client.subscribe("/devices/fern/commands/#");

  assert.deepEqual(
    client.packets.map(({ type }) => type),
    ["connack", "pingresp", "suback"],
  );
});

test("while we do not read, silence does not count against the Keep Alive", async () => {
  const world = await World.create();
  const client = world.connect(4, { keepAlive: 10 });
  let id = 0;
  await world.time.advance(12_000);
  while (!client.isPaused) client.publish(++id, { payload: "x".repeat(4_000) });

  await world.time.advance(4_999);
  const before = client.isClosed;
  while (world.backbone.waiting.length > 0) world.backbone.answer(0);
  await world.time.advance(14_000);
  const after = client.isClosed;
  await world.time.advance(1_000);

  assert.deepEqual([before, after, client.isClosed], [false, false, true]);
});

for (const because of ["queue_full", "disk_full", "store_failed"] as const) {
  test(`a store that says ${because} costs no acknowledgement, only the connection after a bounded wait`, async () => {
    const world = await World.create();
    const client = world.connect(5);
    for (let id = 1; id <= 4; id++) client.publish(id);

    world.backbone.answer(1, { kind: "refused", because });
    world.backbone.answer(2);
    world.backbone.answer(1);
    world.backbone.answer(0);
    client.publish(5);
    await world.time.advance(4_999);
    const open = !client.isClosed;
    await world.time.advance(5_001);

    assert.equal(open, true);
    assert.deepEqual(pubacks(client), [1]);
    assert.equal(client.of("disconnect")[0]?.reasonCode, 0x97);
    assert.equal(world.backbone.waiting.length, 0);
    assert.equal(client.isClosed, true);
  });
}

test("a 3.1.1 client whose message was refused is closed without a word", async () => {
  const world = await World.create();
  const client = world.connect();
  client.publish(1);

  world.backbone.answer(0, { kind: "refused", because: "disk_full" });
  await world.time.advance(10_000);

  assert.equal(client.isClosed, true);
  assert.deepEqual(
    client.packets.map(({ type }) => type),
    ["connack"],
  );
});

test("QoS 0 is stored too; what the store refuses is lost and counted, the connection stays", async () => {
  const world = await World.create();
  const client = world.connect();
  client.publish(0);
  client.publish(0);

  world.backbone.answer(0);
  world.backbone.answer(0, { kind: "refused", because: "queue_full" });
  await world.time.advance(20_000);

  assert.equal(client.isClosed, false);
  assert.deepEqual(pubacks(client), []);
  assert.ok(world.diary.lines.includes("notStored qos0 queue_full"));
});

test("of QoS 0 at most 100 are with the store at once", async () => {
  const world = await World.create();
  const client = world.connect(5);

  for (let i = 0; i < 120; i++) client.publish(0);

  assert.equal(world.backbone.waiting.length, 100);
  assert.equal(world.bridge.counts().held, 20);
});

test("what was held when the client said DISCONNECT is stored all the same", async () => {
  const world = await World.create();
  const client = world.connect();
  for (let id = 1; id <= 30; id++) client.publish(id);

  client.send({ type: "disconnect", reasonCode: 0 });

  assert.equal(world.backbone.waiting.length, 30);
  assert.equal(client.isClosed, true);
  assert.equal(world.diary.lines.at(-1), "disconnected fern client_disconnected");
});

test("state is acknowledged when the registry has it", async () => {
  const world = await World.create();
  const client = world.connect();

  client.publish(3, { topic: "/devices/fern/state", payload: "ok" });
  const before = pubacks(client);
  await world.time.advance(0);

  const device = await world.store.findDevice(world.device());
  assert.deepEqual([before, pubacks(client)], [[], [3]]);
  assert.equal(Buffer.from(device?.state?.binaryData ?? []).toString(), "ok");
});

test("a state the registry cannot write is not acknowledged", async () => {
  const world = await World.create({
    wrap: (store) => {
      store.appendState = () => Promise.reject(new StoreError("disk_full", "no space left"));
      return store;
    },
  });
  const client = world.connect();

  client.publish(3, { topic: "/devices/fern/state", payload: "ok" });
  await world.time.advance(10_000);

  assert.deepEqual(pubacks(client), []);
  assert.equal(world.diary.lines.at(-1), "disconnected fern store_unavailable");
});

test("RETAIN of a 3.1.1 client is ignored: it cannot know that nothing is retained", async () => {
  const world = await World.create();
  const client = world.connect(4);

  client.publish(1, { retain: true });
  world.backbone.answer(0);
  await world.time.advance(0);

  assert.deepEqual(pubacks(client), [1]);
});

const endings: readonly [string, (client: TestClient) => void, number, string][] = [
  ["a PUBLISH of QoS 2", (c) => c.send({ ...publishOf(1), qos: 2 } as never), 0x9b, "qos_not_supported"],
  [
    "a PUBLISH to an unknown topic",
    (c) => c.publish(1, { topic: "/devices/fern/noise" }),
    0x90,
    "topic_name_invalid",
  ],
  [
    "a PUBLISH to another device's topic",
    (c) => c.publish(1, { topic: "/devices/moss/events" }),
    0x87,
    "topic_not_own",
  ],
  [
    "an attach by a device that is no gateway",
    (c) => c.publish(1, { topic: "/devices/moss/attach" }),
    0x87,
    "topic_not_own",
  ],
  [
    "a SUBSCRIBE with another device's topic",
    (c) => c.subscribe("/devices/moss/config"),
    0x87,
    "topic_not_own",
  ],
  ["an event above 256 KiB", (c) => c.publish(1, { payload: "x".repeat(262_145) }), 0x95, "packet_too_large"],
  [
    "a state above 64 KiB",
    (c) => c.publish(1, { topic: "/devices/fern/state", payload: "x".repeat(65_537) }),
    0x95,
    "packet_too_large",
  ],
  [
    "a packet above the maximum",
    (c) => c.sendBytes(Uint8Array.of(0x30, 0x80, 0x80, 0x14)),
    0x95,
    "packet_too_large",
  ],
  [
    "a PUBREL for nothing",
    (c) => c.send({ type: "pubrel", packetIdentifier: 1, reasonCode: 0 }),
    0x82,
    "protocol_error",
  ],
  ["bytes that are no packet", (c) => c.sendBytes(Uint8Array.of(0x00, 0x00)), 0x81, "malformed_packet"],
];
for (const [what, act, reasonCode, because] of endings) {
  test(`${what} ends the connection`, async () => {
    const world = await World.create();
    const modern = world.connect(5);
    act(modern);
    const told = world.diary.lines.at(-1);
    const old = world.connect(4);
    act(old);

    assert.equal(modern.of("disconnect")[0]?.reasonCode, reasonCode);
    assert.equal(told, `disconnected fern ${because}`);
    assert.deepEqual([modern.isClosed, old.isClosed], [true, true]);
    assert.deepEqual(world.backbone.waiting, []);
  });
}

test("the largest event and the largest state are taken", async () => {
  const world = await World.create();
  const client = world.connect(5);

  client.publish(1, { payload: "x".repeat(262_144) });
  client.publish(2, { topic: "/devices/fern/state", payload: "x".repeat(65_536) });
  world.backbone.answer(0);
  await world.time.advance(0);

  assert.deepEqual(pubacks(client), [1, 2]);
});

test("a Topic Alias stands for its topic; one that was never set, or above 16, ends the connection", async () => {
  const world = await World.create();
  const client = world.connect(5);
  const alias = (topicAlias: number, topic: string) =>
    client.send({ ...publishOf(0, {}), topic, properties: { topicAlias } } as never);

  alias(16, "/devices/fern/events/air");
  alias(16, "");
  const subfolders = world.backbone.waiting.map(({ message }) => message.subfolder);
  alias(3, "");
  const unset = client.of("disconnect")[0]?.reasonCode;
  const second = world.connect(5);
  second.send({ ...publishOf(0, {}), properties: { topicAlias: 17 } } as never);

  assert.deepEqual(subfolders, ["air", "air"]);
  assert.equal(unset, 0x82);
  assert.equal(second.of("disconnect")[0]?.reasonCode, 0x94);
});

test("a device may use its numId in topics", async () => {
  const world = await World.create();
  const numId = (await world.store.findDevice(world.device()))?.numId ?? "";
  const client = world.connect();

  client.publish(1, { topic: `/devices/${numId}/events` });

  assert.equal(world.backbone.waiting[0]?.message.deviceId, "fern");
});

test("last-seen facts go to the registry at most once a second, the last ones too", async () => {
  let told = 0;
  const world = await World.create({
    wrap: (store) => {
      const recordActivity = store.recordActivity.bind(store);
      store.recordActivity = (update) => {
        told += 1;
        recordActivity(update);
      };
      return store;
    },
  });
  world.backbone.auto = { kind: "durable", messageId: "1" };
  const client = world.connect();
  const atConnect = told;

  for (let i = 0; i < 20; i++) {
    client.publish(1);
    client.send({ type: "pingreq" });
    await world.time.advance(100);
  }
  await world.time.advance(5_000);

  const activity = (await world.store.findDevice(world.device()))?.activity;
  assert.equal(atConnect, 1);
  assert.ok(told - atConnect <= 3, `${told - atConnect}`);
  assert.equal((activity?.eventMs ?? 0) % 10_000, 1_900);
  assert.equal((activity?.heartbeatMs ?? 0) % 10_000, 1_900);
});
