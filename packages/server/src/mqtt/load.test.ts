import assert from "node:assert/strict";
import { test } from "node:test";
import { DeviceKey, fernPath, type TestClient, VirtualTime, World } from "../../test/bridge-world.ts";
import {
  busyReceiveMaximum,
  easedPerTurnMax,
  inFlightBytesMax,
  inFlightMessagesMax,
  receiveMaximum,
} from "./limits.ts";
import { Load, type LoadLevel } from "./load.ts";

const pubacks = (client: TestClient) => client.of("puback").map(({ packetIdentifier }) => packetIdentifier);

test("the level follows the nearer bound: high from a half on, full from four fifths on", () => {
  const load = new Load(new VirtualTime());
  const levels = [0, 0.5, 0.8].map((share) => {
    while (load.messages < inFlightMessagesMax * share) load.add(0);
    const at = load.level;
    load.remove(0);
    const below = load.level;
    load.add(0);
    return [below, at];
  });
  const heavy = new Load(new VirtualTime());
  heavy.add(inFlightBytesMax * 0.8);

  assert.deepEqual(levels.slice(1), [
    ["normal", "high"],
    ["high", "full"],
  ]);
  assert.equal(heavy.level, "full");
});

test("whoever waits is called when there is room, so many in a turn", async () => {
  const time = new VirtualTime();
  const load = new Load(time);
  load.add(inFlightBytesMax);
  let called = 0;
  const waiter = () => ({
    loadEased: () => {
      called += 1;
    },
  });
  for (let i = 0; i < easedPerTurnMax + 1; i++) load.wait(waiter());
  const forgotten = { loadEased: () => assert.fail("forgotten") };
  load.wait(forgotten);
  load.forget(forgotten);

  load.remove(inFlightBytesMax / 10);
  await time.advance(0);
  const whileFull = called;
  load.remove(inFlightBytesMax / 5);
  await time.advance(0);

  assert.equal(whileFull, 0);
  assert.equal(called, easedPerTurnMax + 1);
  assert.equal(load.waiters, 0);
});

/** Other devices fill what the process may have in flight, with messages the store does not answer. */
async function fillTo(world: World, level: LoadLevel): Promise<void> {
  const payload = "x".repeat(256 * 1024);
  for (let i = 0; world.bridge.loadLevel() !== level; i++) {
    const key = new DeviceKey(`filler-${i}`);
    await world.createDevice(`filler-${i}`, [key.record]);
    const clientIdentifier = fernPath.replace("fern", `filler-${i}`);
    const client = world.connect(4, { clientIdentifier, token: key.token() });
    const topic = `/devices/filler-${i}/events`;
    for (let id = 1; id <= receiveMaximum && world.bridge.loadLevel() !== level; id++) {
      client.publish(id, { topic, payload });
    }
  }
}

const ofFern = (world: World) =>
  world.backbone.waiting.filter(({ message }) => message.deviceId === "fern").length;

/** The store answers for everything the others sent. */
function empty(world: World): void {
  for (let i = world.backbone.waiting.length - 1; i >= 0; i--) {
    if (world.backbone.waiting[i]?.message.deviceId !== "fern") world.backbone.answer(i);
  }
}

test("from a half on QoS 0 is dropped and counted, and a busy connection holds back at half its window", async () => {
  const world = await World.create();
  const client = world.connect(5);
  await fillTo(world, "high");
  client.publish(0);
  for (let id = 1; id <= receiveMaximum; id++) client.publish(id);
  await world.time.advance(0);

  assert.ok(world.diary.lines.includes("notStored qos0 overloaded"));
  assert.equal(ofFern(world), busyReceiveMaximum);
  assert.equal(client.isClosed, false);
});

test("at four fifths every publisher waits, and goes on when there is room", async () => {
  const world = await World.create();
  const client = world.connect(5);
  await fillTo(world, "full");
  client.publish(1);
  client.publish(2);
  await world.time.advance(0);
  const whileFull = ofFern(world);

  empty(world);
  await world.time.advance(0);
  world.backbone.answer(0);
  world.backbone.answer(0);
  await world.time.advance(0);

  assert.equal(whileFull, 0);
  assert.deepEqual(pubacks(client), [1, 2]);
  assert.equal(world.bridge.counts().loadWaiters, 0);
});

test("while publishers wait, AUTH, PINGREQ, PUBACK and DISCONNECT are served at once", async () => {
  const world = await World.create();
  const client = world.connectByMethod();
  client.subscribe("/devices/fern/commands/#");
  await fillTo(world, "full");
  const outcomes: string[] = [];
  world.bridge.sendCommand(world.device(), { payload: Buffer.from("go"), subfolder: "" }, (o) =>
    outcomes.push(o),
  );
  for (let id = 1; id <= receiveMaximum; id++) client.publish(id, { payload: "x".repeat(3_000) });

  client.send({ type: "pingreq" });
  client.authenticate(world.key.token({ iat: 1_700_000_001, sub: fernPath }));
  client.send({
    type: "puback",
    packetIdentifier: client.of("publish")[0]?.packetIdentifier ?? 0,
    reasonCode: 0,
  });
  await world.time.advance(0);
  const served = [client.of("pingresp").length, client.of("auth")[0]?.reasonCode, outcomes];
  client.send({ type: "disconnect", reasonCode: 0 });

  assert.deepEqual(served, [1, 0, ["delivered"]]);
  assert.deepEqual(ofFern(world), receiveMaximum, "what was held is taken at the goodbye");
  assert.equal(client.isClosed, true);
});

test("at four fifths newcomers are told that we are busy, and devices that are here renew", async () => {
  const world = await World.create();
  world.connect(5);
  await fillTo(world, "full");
  const clientIdentifier = fernPath.replace("fern", "moss");

  const newcomer = world.connect(5, { clientIdentifier });
  const old = world.connect(4, { clientIdentifier });
  const renewing = world.connect(5);

  const [busy] = newcomer.of("connack");
  assert.equal(busy?.reasonCode, 0x89);
  assert.deepEqual(busy.properties?.userProperties, [["retry-after", "10"]]);
  assert.equal(old.of("connack")[0]?.reasonCode, 3);
  assert.equal(renewing.of("connack")[0]?.reasonCode, 0);
  assert.ok(world.diary.lines.includes("refused server_busy"));
});

test("a client that is not read for half its Keep Alive is let go as server busy", async () => {
  const world = await World.create();
  const client = world.connect(5, { keepAlive: 60 });
  await fillTo(world, "full");
  for (let id = 1; id <= receiveMaximum; id++) client.publish(id, { payload: "x".repeat(8_000) });
  assert.equal(client.isPaused, true);

  await world.time.advance(29_999);
  const before = client.isClosed;
  await world.time.advance(1);

  assert.equal(before, false);
  assert.equal(client.of("disconnect")[0]?.reasonCode, 0x89);
  assert.equal(world.bridge.counts().loadWaiters, 0);
});

test("what connections that are gone have in flight counts until the store answers", async () => {
  const world = await World.create();
  const client = world.connect();
  client.publish(1);
  client.lose();
  const before = world.bridge.counts().inFlightMessages;

  world.backbone.answer(0);

  assert.deepEqual([before, world.bridge.counts().inFlightMessages], [1, 0]);
});

test("a peer that does not read gets no more commands, and only the newest config once it reads", async () => {
  const world = await World.create();
  const client = world.connect();
  client.subscribe("/devices/fern/commands/#", 0);
  client.subscribe("/devices/fern/config", 0);
  const before = client.of("publish").length;
  client.bufferedBytes = 1024 * 1024 + 1;
  const outcomes: string[] = [];

  world.bridge.sendCommand(world.device(), { payload: Buffer.from("go"), subfolder: "" }, (o) =>
    outcomes.push(o),
  );
  for (const version of ["a", "b", "c"]) {
    await world.store.modifyConfig(world.device(), Buffer.from(version), 0);
    await world.time.advance(100);
  }
  const whileFull = client.of("publish").length;
  client.bufferedBytes = 0;
  await world.time.advance(5_000);

  assert.deepEqual(outcomes, ["too_many"]);
  assert.equal(whileFull, before);
  assert.deepEqual(
    client
      .of("publish")
      .slice(before)
      .map(({ payload }) => Buffer.from(payload).toString()),
    ["c"],
  );
});
