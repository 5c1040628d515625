/** Presence behind the real bridge: what its connections' beginnings and ends, of all kinds, are told as. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  fernPath,
  startSeconds,
  type TestClient,
  World,
  type WorldOptions,
} from "../../test/bridge-world.ts";
import { lingerMillis } from "../presence/presence.ts";
import { rebuildPageSize, rebuildPauseMillis, rebuildPresence } from "../presence/presence-rebuild.ts";
import { createPresence, type PresenceService } from "../presence/presence-service.ts";

const greenhouse = { project: "mayfly", location: "here", registry: "greenhouse" };

async function openWorld(options: WorldOptions = {}) {
  const world = await World.create(options);
  const presence = world.watchPresence();
  return { world, presence, told: () => linesOf(presence) };
}

/** All that was told so far. */
function linesOf({ history }: PresenceService): readonly string[] {
  const lines: string[] = [];
  for (let at = 0; ; ) {
    const event = history.next(greenhouse, at);
    if (event === undefined) return lines;
    at = event.sequence;
    lines.push(`${event.presence.state} ${event.presence.because}`);
  }
}

const at = (world: World) => Math.floor(world.time.trueSeconds());
const fresh = (world: World) => world.key.token({ sub: fernPath, iat: at(world) });

/** The next token of a device, three times, an hour's wait before each. */
async function renewThrice(world: World, client: TestClient, renew: (client: TestClient) => TestClient) {
  let current = client;
  for (let i = 0; i < 3; i++) {
    await world.time.advance(3_000_000);
    current.send({ type: "pingreq" });
    current = renew(current);
  }
  await world.time.advance(lingerMillis);
}

test("three tokens by AUTH are one online", async () => {
  const { world, told } = await openWorld({ policy: { idleMaxSeconds: 7_200 } });
  const client = world.connectByMethod();

  await renewThrice(world, client, (current) => {
    current.authenticate(fresh(world));
    return current;
  });

  assert.equal(world.diary.lines.filter((line) => line.startsWith("renewed")).length, 3);
  assert.deepEqual(told(), ["online connected"]);
});

test("three tokens by handover are one online", async () => {
  const { world, told } = await openWorld({ policy: { idleMaxSeconds: 7_200 } });
  const connect = (userName: string) =>
    world.connect(4, { cleanStart: false, userName, token: fresh(world) });

  await renewThrice(world, connect("mayfly/1"), () => connect("mayfly/1 handover"));

  assert.equal(world.diary.lines.filter((line) => line.endsWith("handed_over")).length, 3);
  assert.deepEqual(told(), ["online connected"]);
});

test("three tokens of our agent on new connections are one online", async () => {
  const { world, told } = await openWorld({ policy: { idleMaxSeconds: 7_200 } });
  const connect = () => world.connect(4, { userName: "mayfly/1", token: fresh(world) });

  await renewThrice(world, connect(), connect);

  assert.equal(world.diary.lines.filter((line) => line.endsWith(" renewed")).length, 3);
  assert.deepEqual(told(), ["online connected"]);
});

test("firmware that disconnects and connects for its next token is never offline", async () => {
  const { world, presence, told } = await openWorld();
  const client = world.connect(4);

  client.send({ type: "disconnect", reasonCode: 0 });
  await world.time.advance(lingerMillis - 1);
  world.connect(4);
  await world.time.advance(lingerMillis);

  assert.deepEqual(told(), ["online connected", "online reconnected"]);
  const record = (await world.store.findDevice(world.device())) ?? assert.fail();
  assert.equal(presence.of(record)?.sinceMs, startSeconds * 1000);
});

test("a second client with the device's name takes over, and the device stays online", async () => {
  const { world, told } = await openWorld();

  world.connect(4);
  world.connect(4);
  await world.time.advance(lingerMillis);

  assert.deepEqual(told(), ["online connected", "online taken_over"]);
});

test("a device whose link is lost is offline 10 s later, since then, and its record says so", async () => {
  const { world, told } = await openWorld();
  const client = world.connect(4);

  await world.time.advance(5_000);
  client.lose();
  await world.time.advance(lingerMillis);

  assert.deepEqual(told(), ["online connected", "offline link_lost"]);
  assert.deepEqual((await world.store.findDevice(world.device()))?.activity.presence, {
    ...{ state: "offline", sinceMs: (startSeconds + 5) * 1000, because: "link_lost" },
  });
});

test("a token that ends without a next one is the reason of the device's absence", async () => {
  const { world, told } = await openWorld({ policy: { idleMaxSeconds: 7_200 } });
  world.connect(4);

  await world.time.advance(3_600_000 + lingerMillis);

  assert.deepEqual(told(), ["online connected", "offline token_expired"]);
});

test("a blocked device is offline at once, and a deleted one too", async () => {
  const { world, told } = await openWorld();
  world.connect(4);

  await world.store.updateDevice(world.device(), { blocked: true });
  await world.time.advance(0);
  assert.deepEqual(told(), ["online connected", "offline device_blocked"]);
  await world.store.updateDevice(world.device(), { blocked: false });
  world.connect(4);
  await world.store.deleteDevice(world.device());
  await world.time.advance(0);

  assert.deepEqual(told().slice(2), ["online connected", "offline device_deleted"]);
});

test("a device that is deleted while it is away is told as deleted, and leaves nothing", async () => {
  const { world, presence, told } = await openWorld();
  const client = world.connect(4);

  client.lose();
  await world.store.deleteDevice(world.device());

  assert.deepEqual(told(), ["online connected", "offline device_deleted"]);
  assert.deepEqual(presence.book.counts(), { online: 0, throughGateways: 0, lingering: 0 });
});

test("who was online when a process was killed is offline since the next one's start, and is set right", async () => {
  const { world } = await openWorld();
  await world.createDevice("moss", [world.key.inState("active", { fingerprint: "moss" })]);
  world.connect(4);
  await world.time.advance(60_000);

  // The next process finds the store as this one left it.
  const presence = world.watchPresence();
  const record = (await world.store.findDevice(world.device())) ?? assert.fail();
  const before = presence.of(record);
  const mended = await rebuildPresence(
    { registry: world.store, presence, timers: world.time },
    "mayfly",
    () => false,
  );
  await world.time.advance(60_000);
  const later = createPresence({
    clock: world.time,
    timers: world.time,
    random: { fill: (bytes) => bytes },
    registry: world.store,
  });
  const after = (await world.store.findDevice(world.device())) ?? assert.fail();

  const expected = { state: "offline", sinceMs: (startSeconds + 60) * 1000, because: "bridge_restarted" };
  assert.deepEqual(before, expected);
  assert.equal(mended, 1);
  assert.deepEqual(later.of(after), expected, "a start later it is still the first one's");
  const moss = (await world.store.findDevice(world.device("moss"))) ?? assert.fail();
  assert.equal(later.of(moss), undefined, "a device that was never online has no presence");
});

test("a start reads a page of records at a time and lets others have their turn in between", async () => {
  const { world, presence } = await openWorld();
  for (let n = 0; n < rebuildPageSize; n++) await world.createDevice(`dev-${n}`, []);
  let pages = 0;
  const registry = {
    listRegistries: world.store.listRegistries.bind(world.store),
    recordActivity: world.store.recordActivity.bind(world.store),
    listDevices: (...asked: Parameters<typeof world.store.listDevices>) => {
      pages += 1;
      return world.store.listDevices(...asked);
    },
  };

  const rebuilt = rebuildPresence({ registry, presence, timers: world.time }, "mayfly", () => false);
  for (let turn = 0; turn < 1_000; turn++) await Promise.resolve();
  const withoutATurn = pages;
  await world.time.advance(rebuildPauseMillis);
  await rebuilt;

  assert.deepEqual([withoutATurn, pages], [1, 2]);
});

test("a record that lags behind does not make a device look as if a process had been killed", async () => {
  const { world, presence } = await openWorld();
  const client = world.connect(4);
  const lagging = (await world.store.findDevice(world.device())) ?? assert.fail();

  client.lose();
  await world.time.advance(lingerMillis);

  assert.equal(lagging.activity.presence?.state, "online");
  assert.equal(presence.of(lagging)?.because, "link_lost");
});
