import assert from "node:assert/strict";
import { test } from "node:test";
import { DeviceKey, fernPath, startSeconds, type TestClient, World } from "../../test/bridge-world.ts";

const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();
const bytes = (content: string) => new Uint8Array(Buffer.from(content));

/** A 3.1.1 connection of our agent whose Session is kept. */
function connectKept(world: World, userName = "mayfly/1", key: DeviceKey = world.key): TestClient {
  return world.connect(4, { cleanStart: false, userName, token: key.token({ sub: fernPath }) });
}

const handOver = (world: World, key?: DeviceKey) => connectKept(world, "mayfly/1 handover", key);

test("a handover is answered with Session Present 1, and the old socket stays for the client's DISCONNECT", async () => {
  const world = await World.create();
  const old = connectKept(world);

  const next = handOver(world);
  await world.time.advance(0);
  const before = old.isClosed;
  old.send({ type: "disconnect", reasonCode: 0 });

  assert.deepEqual(next.of("connack"), [{ type: "connack", sessionPresent: true, reasonCode: 0 }]);
  assert.deepEqual([before, old.isClosed], [false, true]);
  assert.deepEqual(world.diary.lines.slice(-2), [
    "disconnected fern handed_over",
    "connected fern tookOver resumed",
  ]);
  assert.equal(world.bridge.counts().sessions, 1);
  assert.equal(world.bridge.counts().connections, 1);
});

test("without the client's DISCONNECT the old socket is closed after 2 s, and not before", async () => {
  const world = await World.create();
  const old = connectKept(world);
  handOver(world);

  await world.time.advance(1_999);
  const before = old.isClosed;
  await world.time.advance(1);

  assert.deepEqual([before, old.isClosed], [false, true]);
  assert.equal(world.bridge.counts().connections, 1);
});

test("a reused Packet Identifier is not acknowledged by the old connection's message", async () => {
  const world = await World.create();
  const old = connectKept(world);
  old.publish(7, { payload: "first" });
  const next = handOver(world);
  // The client takes its Packet Identifier 7 for another message, which the store has not answered yet.
  next.publish(7, { payload: "second" });

  world.backbone.answer(0);
  await world.time.advance(10);
  const afterFirst = [old.of("puback").length, next.of("puback").length];
  world.backbone.answer(0);
  await world.time.advance(10);

  assert.deepEqual(afterFirst, [0, 0], "the first message's answer belongs to nobody");
  assert.deepEqual(
    next.of("puback").map(({ packetIdentifier }) => packetIdentifier),
    [7],
  );
  assert.deepEqual(old.of("puback"), []);
});

test("what arrives on the old socket after the handover is neither taken nor answered", async () => {
  const world = await World.create();
  const old = connectKept(world);
  handOver(world);
  const before = old.packets.length;

  old.publish(9, { payload: "late" });
  old.send({ type: "pingreq" });
  old.subscribe("/devices/fern/config");
  await world.time.advance(0);

  assert.deepEqual(world.backbone.waiting, []);
  assert.equal(old.packets.length, before);
});

test("what was queued for the old socket in the same turn does not leave any more", async () => {
  const world = await World.create();
  const old = connectKept(world);
  old.publish(1);
  world.backbone.answer(0);

  handOver(world);
  await world.time.advance(0);

  assert.deepEqual(old.of("puback"), []);
});

test("config in flight goes over under its Packet Identifier, with DUP, and its PUBACK counts on the new socket", async () => {
  const world = await World.create();
  await world.store.modifyConfig(world.device(), bytes("every: 60"), 0);
  const old = connectKept(world);
  old.subscribe("/devices/fern/config");
  await world.time.advance(0);
  const [sent] = old.of("publish");

  const next = handOver(world);
  await world.time.advance(0);
  const [again] = next.of("publish");
  next.send({ type: "puback", packetIdentifier: again?.packetIdentifier ?? 0, reasonCode: 0 });
  await world.time.advance(0);

  assert.equal(sent?.dup, false);
  assert.deepEqual(
    [again?.dup, again?.packetIdentifier, text(again?.payload)],
    [true, sent?.packetIdentifier, "every: 60"],
  );
  const [version] = await world.store.listConfigVersions(world.device(), 1);
  assert.notEqual(version?.deviceAckMs, undefined);
  assert.equal(world.bridge.counts().downlinkInFlight, 0);
});

test("subscriptions go over: a command reaches the new socket without a new SUBSCRIBE, and is answered from there", async () => {
  const world = await World.create();
  const old = connectKept(world);
  old.subscribe("/devices/fern/commands/#");
  await world.time.advance(0);
  const outcomes: string[] = [];
  const send = (payload: string) =>
    world.bridge.sendCommand(world.device(), { payload: bytes(payload), subfolder: "" }, (outcome) => {
      outcomes.push(`${payload} ${outcome}`);
    });
  send("before");
  await world.time.advance(0);

  const next = handOver(world);
  send("after");
  await world.time.advance(0);
  for (const { packetIdentifier } of next.of("publish")) {
    next.send({ type: "puback", packetIdentifier: packetIdentifier ?? 0, reasonCode: 0 });
  }
  await world.time.advance(0);

  assert.deepEqual(
    next.of("publish").map(({ payload, dup }) => [text(payload), dup]),
    [
      ["before", true],
      ["after", false],
    ],
  );
  assert.deepEqual(outcomes, ["before delivered", "after delivered"]);
});

test("a blocked uplink does not keep the old socket from reading its DISCONNECT", async () => {
  const world = await World.create();
  const old = connectKept(world);
  for (let id = 1; id <= 40; id++) old.publish(id, { payload: "x".repeat(8_000) });
  assert.equal(old.isPaused, true);

  handOver(world);
  await world.time.advance(0);
  const afterHandover = old.isPaused;
  old.send({ type: "disconnect", reasonCode: 0 });

  assert.deepEqual([afterHandover, old.isClosed], [false, true]);
  assert.equal(world.bridge.counts().heldBytes, 0);
});

const ordinary: readonly [string, (world: World) => Promise<void>][] = [
  [
    "the old one had Clean Session 1",
    async (world) => {
      world.connect(4, { userName: "mayfly/1", token: world.key.token({ sub: fernPath }) });
      handOver(world);
    },
  ],
  [
    "the new one has Clean Session 1",
    async (world) => {
      connectKept(world);
      world.connect(4, { userName: "mayfly/1 handover", token: world.key.token({ sub: fernPath }) });
    },
  ],
  [
    "the new one does not ask for it",
    async (world) => {
      connectKept(world);
      connectKept(world);
    },
  ],
  [
    "another key verified",
    async (world) => {
      const second = new DeviceKey("second");
      await world.store.updateDevice(world.device(), { keys: [world.key.record, second.record] });
      connectKept(world);
      handOver(world, second);
    },
  ],
  [
    "the old one speaks 5.0",
    async (world) => {
      world.connectByMethod({ cleanStart: false, properties: { sessionExpiryInterval: 600 } });
      handOver(world);
    },
  ],
];
for (const [because, arrange] of ordinary) {
  test(`it is an ordinary takeover where ${because}`, async () => {
    const world = await World.create();

    await arrange(world);
    await world.time.advance(0);

    assert.equal(world.bridge.counts().connections, 1);
    assert.ok(!world.diary.lines.includes("disconnected fern handed_over"), world.diary.lines.join("\n"));
    assert.ok(world.diary.lines.some((line) => /^disconnected fern (taken_over|renewed)$/.test(line)));
  });
}

test("where the registry keeps no Sessions there is no handover, and Session Present is 0", async () => {
  const world = await World.create({ policy: { keepSessions: false } });
  const old = connectKept(world);

  const next = handOver(world);
  await world.time.advance(0);

  assert.equal(next.of("connack")[0]?.sessionPresent, false);
  assert.equal(old.isClosed, true);
});

test("a renewal by handover restarts deadline and keep-alive from the new connection", async () => {
  const world = await World.create();
  const old = world.connect(4, {
    cleanStart: false,
    userName: "mayfly/1",
    token: world.key.token({ sub: fernPath, exp: startSeconds + 600 }),
  });
  await world.time.advance(500_000);
  const next = world.connect(4, {
    cleanStart: false,
    userName: "mayfly/1 handover",
    token: world.key.token({ sub: fernPath, iat: startSeconds + 500, exp: startSeconds + 1_100 }),
  });

  await world.time.advance(599_000);
  const before = next.isClosed;
  await world.time.advance(1_000);

  assert.equal(old.isClosed, true);
  assert.deepEqual([before, next.isClosed], [false, true]);
});
