import assert from "node:assert/strict";
import { test } from "node:test";
import { fernPath, startSeconds, type TestClient, World } from "../../test/bridge-world.ts";
import {
  TakeoverWatch,
  takeoverDelayMillisMax,
  takeoverDevicesMax,
  takeoversFree,
  takeoverWindowMillis,
} from "./takeover-watch.ts";

test("six takeovers in ten minutes are free; each further one waits a second longer, five at most", () => {
  const watch = new TakeoverWatch();

  const delays = Array.from({ length: 14 }, (_, i) => watch.note("fern", i * 1_000).delayMillis);

  assert.deepEqual(delays, [0, 0, 0, 0, 0, 0, 1_000, 2_000, 3_000, 4_000, 5_000, 5_000, 5_000, 5_000]);
});

test("takeovers older than ten minutes are forgotten", () => {
  const watch = new TakeoverWatch();
  for (let i = 0; i < takeoversFree; i++) watch.note("fern", 0);

  assert.equal(watch.note("fern", takeoverWindowMillis - 1).delayMillis, 1_000);
  assert.equal(watch.note("moss", takeoverWindowMillis - 1).delayMillis, 0);
  assert.equal(watch.note("fern", takeoverWindowMillis).delayMillis, 0);
});

test("the alarm is raised once in ten minutes for a device", () => {
  const watch = new TakeoverWatch();
  let alarms = 0;
  for (let atMillis = 0; atMillis < 2 * takeoverWindowMillis; atMillis += 10_000) {
    if (watch.note("fern", atMillis).isAlarm) alarms += 1;
  }

  assert.equal(alarms, 2);
});

test("of more devices than it remembers the one unseen for longest begins anew", () => {
  const watch = new TakeoverWatch();
  for (let i = 0; i < takeoversFree; i++) watch.note("first", i);
  for (let i = 0; i < takeoverDevicesMax; i++) watch.note(String(i), 10);

  assert.equal(watch.size, takeoverDevicesMax);
  assert.equal(watch.note("first", 20).delayMillis, 0);
});

/** Two clients with one identity, from two addresses. @returns the newest connections. */
async function fight(world: World, takeovers: number): Promise<TestClient[]> {
  const clients = [world.connect(4)];
  for (let i = 0; i < takeovers; i++) {
    world.remoteAddress = i % 2 === 0 ? "198.51.100.7" : "192.0.2.1";
    clients.push(world.connect(4));
    await world.time.advance(100);
  }
  return clients;
}

test("the seventh takeover waits a second, is then served, and one alarm names both addresses", async () => {
  const world = await World.create();
  const clients = await fight(world, takeoversFree);
  world.remoteAddress = "198.51.100.9";

  const seventh = world.connect(4);
  await world.time.advance(999);
  const before = [seventh.packets.length, clients.at(-1)?.isClosed];
  await world.time.advance(1);

  assert.deepEqual(before, [0, false], "the present connection goes on meanwhile");
  assert.equal(seventh.of("connack")[0]?.reasonCode, 0);
  assert.equal(clients.at(-1)?.isClosed, true);
  assert.deepEqual(
    world.diary.lines.filter((line) => line.startsWith("takeoverStorm")),
    ["takeoverStorm fern from 192.0.2.1 and 198.51.100.9"],
  );
});

test("however long two clients fight, none is refused while its token is valid", async () => {
  const world = await World.create();
  await fight(world, takeoversFree);
  for (let i = 0; i < 30; i++) {
    const next = world.connect(4);
    await world.time.advance(takeoverDelayMillisMax);
    assert.equal(next.of("connack")[0]?.reasonCode, 0, `takeover ${i}`);
  }
});

test("a delayed CONNECT that came late in its ten seconds still gets its answer", async () => {
  const world = await World.create();
  await fight(world, takeoversFree + 5);
  await world.time.advance(takeoverDelayMillisMax);
  const slow = world.open(4);
  await world.time.advance(9_000);

  slow.send({
    type: "connect",
    protocolVersion: 4,
    cleanStart: true,
    keepAlive: 0,
    clientIdentifier: fernPath,
    userName: "unused",
    password: Buffer.from(world.key.token()),
  });
  await world.time.advance(takeoverDelayMillisMax);

  assert.equal(slow.of("connack")[0]?.reasonCode, 0);
});

test("a delayed CONNECT whose client leaves takes nobody's place", async () => {
  const world = await World.create();
  const clients = await fight(world, takeoversFree);
  const gone = world.connect(4);
  gone.lose();
  await world.time.advance(takeoverDelayMillisMax);

  assert.equal(clients.at(-1)?.isClosed, false);
  assert.equal(world.bridge.counts().connections, 1);
  assert.equal(world.time.timersWaiting, 1);
});

test("a token that runs out while its CONNECT waits admits nobody, and takes nobody's place", async () => {
  const world = await World.create();
  await fight(world, takeoversFree + 5);
  await world.time.advance(takeoverDelayMillisMax);
  const now = world.time.wallSeconds();
  const late = world.connect(4, {
    token: world.key.token({ iat: Math.floor(now) - 60, exp: Math.floor(now) + 2 }),
  });

  await world.time.advance(takeoverDelayMillisMax);

  assert.equal(late.of("connack")[0]?.reasonCode, 5);
  assert.equal(world.diary.lines.at(-1), "refused token_expired authentic");
  assert.equal(world.bridge.counts().connections, 1);
});

test("planned renewals by new connections of our own agent are no fight, however many", async () => {
  const world = await World.create();
  const lifetimeSeconds = 60;
  for (let i = 0; i < 20; i++) {
    const iat = startSeconds + i * 50;
    const token = world.key.token({ iat, exp: iat + lifetimeSeconds, sub: fernPath });
    const client = world.connect(4, { userName: "mayfly/1", token });
    assert.equal(client.of("connack")[0]?.reasonCode, 0);
    await world.time.advance(50_000);
  }

  assert.ok(!world.diary.lines.some((line) => line.startsWith("takeoverStorm")));
});

test("who only claims to be our agent and connects again and again is counted like anybody", async () => {
  const world = await World.create();
  const token = world.key.token({ sub: fernPath });
  for (let i = 0; i <= takeoversFree; i++) world.connect(4, { userName: "mayfly/1", token });

  const seventh = world.connect(4, { userName: "mayfly/1", token });

  assert.deepEqual(seventh.packets, []);
});
