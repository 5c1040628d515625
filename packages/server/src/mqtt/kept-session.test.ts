import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConnectPacket } from "@mayfly/core/mqtt";
import {
  DeviceKey,
  fernPath,
  registryRef,
  startSeconds,
  type TestClient,
  World,
} from "../../test/bridge-world.ts";
import { keptCommandsMax } from "../registry/session-store.ts";
import type { CommandOutcome } from "./bridge.ts";
import { commandTimeoutMillis, downlinkWindowMax, sessionExpirySecondsMax } from "./limits.ts";

const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();
const bytes = (content: string) => new Uint8Array(Buffer.from(content));
const commands = "/devices/fern/commands/#";
const config = "/devices/fern/config";

const connect5 = (world: World, expirySeconds: number, extra: Partial<ConnectPacket> = {}) =>
  world.connect(5, {
    cleanStart: false,
    properties: { sessionExpiryInterval: expirySeconds },
    ...extra,
  });
const connect4 = (world: World) => world.connect(4, { cleanStart: false });

async function command(world: World, payload: string): Promise<CommandOutcome[]> {
  const outcomes: CommandOutcome[] = [];
  world.bridge.sendCommand(world.device(), { payload: bytes(payload), subfolder: "" }, (outcome) => {
    outcomes.push(outcome);
  });
  await world.time.advance(0);
  return outcomes;
}

function acknowledgeAll(client: TestClient): void {
  for (const { packetIdentifier } of client.of("publish")) {
    if (packetIdentifier !== undefined) client.send({ type: "puback", packetIdentifier, reasonCode: 0 });
  }
}

for (const [name, connect] of [
  ["3.1.1, Clean Session 0", connect4],
  ["5.0, Session Expiry Interval 3600", (world: World) => connect5(world, 3600)],
] as const) {
  test(`commands sent while the device is away wait for it, in order (${name}) [MQTT-4.4.0-1]`, async () => {
    const world = await World.create();
    const first = connect(world);
    first.subscribe(commands);
    await world.time.advance(0);
    first.lose();
    const outcomes = [...(await command(world, "a")), ...(await command(world, "b"))];

    const next = connect(world);
    await world.time.advance(0);

    assert.deepEqual(outcomes, ["queued", "queued"]);
    assert.equal(first.of("connack")[0]?.sessionPresent, false);
    assert.equal(next.of("connack")[0]?.sessionPresent, true);
    assert.deepEqual(
      next.of("publish").map(({ payload, dup, qos }) => [text(payload), dup, qos]),
      [
        ["a", false, 1],
        ["b", false, 1],
      ],
    );
  });
}

test("a command in flight when the connection broke comes again with DUP and its Packet Identifier, until it is acknowledged", async () => {
  const world = await World.create();
  const first = connect5(world, 3600);
  first.subscribe(commands);
  await world.time.advance(0);
  const outcomes: CommandOutcome[] = [];
  world.bridge.sendCommand(world.device(), { payload: bytes("go"), subfolder: "sub" }, (o) =>
    outcomes.push(o),
  );
  await world.time.advance(0);
  const [sent] = first.of("publish");
  first.lose();
  await world.time.advance(0);

  const second = connect5(world, 3600);
  await world.time.advance(0);
  const [again] = second.of("publish");
  acknowledgeAll(second);
  await world.time.advance(0);
  second.lose();
  const third = connect5(world, 3600);
  await world.time.advance(0);

  assert.deepEqual(outcomes, ["queued"]);
  assert.deepEqual([sent?.dup, again?.dup], [false, true]);
  assert.equal(again?.packetIdentifier, sent?.packetIdentifier);
  assert.equal(again?.topic, "/devices/fern/commands/sub");
  assert.deepEqual(third.of("publish"), []);
});

test("a live device that does not acknowledge in time leaves its command queued", async () => {
  const world = await World.create();
  const client = connect4(world);
  client.subscribe(commands);
  await world.time.advance(0);
  const outcomes = await command(world, "go");

  await world.time.advance(commandTimeoutMillis - 1);
  const before = [...outcomes];
  await world.time.advance(1);

  assert.deepEqual([before, outcomes], [[], ["queued"]]);
});

test("a command goes out once, not again with the Session that is looked up while it is queued", async () => {
  const late: (() => void)[] = [];
  const world = await World.create({
    wrap: (store) => {
      const queueCommand = store.queueCommand.bind(store);
      store.queueCommand = async (ref, one) => {
        const outcome = await queueCommand(ref, one);
        await new Promise<void>((resolve) => late.push(resolve));
        return outcome;
      };
      return store;
    },
  });
  const first = connect4(world);
  first.subscribe(commands);
  await world.time.advance(0);
  first.lose();
  const outcomes = await command(world, "go");
  const next = connect4(world);
  await world.time.advance(0);

  for (const resolve of late) resolve();
  await world.time.advance(0);

  assert.deepEqual(outcomes, ["queued"]);
  assert.equal(next.of("publish").length, 1);
});

test("kept commands go out within the client's Receive Maximum, the rest as it acknowledges", async () => {
  const world = await World.create();
  const first = connect5(world, 3600);
  first.subscribe(commands);
  await world.time.advance(0);
  first.lose();
  for (let i = 0; i < 30; i++) await command(world, `c${i}`);

  const narrow = connect5(world, 3600, { properties: { sessionExpiryInterval: 3600, receiveMaximum: 3 } });
  await world.time.advance(0);
  const atOnce = narrow.of("publish").length;
  narrow.lose();
  const wide = connect5(world, 3600);
  await world.time.advance(0);
  const window = wide.of("publish").length;
  for (let i = 0; i < 30; i++) {
    const packetIdentifier = wide.of("publish")[i]?.packetIdentifier ?? 0;
    wide.send({ type: "puback", packetIdentifier, reasonCode: 0 });
  }
  await world.time.advance(0);

  assert.equal(atOnce, 3);
  assert.equal(window, downlinkWindowMax);
  assert.deepEqual(
    wide.of("publish").map(({ payload }) => text(payload)),
    Array.from({ length: 30 }, (_, i) => `c${i}`),
  );
});

test("one command more than a Session keeps is refused as too many", async () => {
  const world = await World.create();
  const first = connect4(world);
  first.subscribe(commands);
  await world.time.advance(0);
  first.lose();
  for (let i = 0; i < keptCommandsMax; i++) assert.deepEqual(await command(world, "x"), ["queued"]);

  assert.deepEqual(await command(world, "one more"), ["too_many"]);
});

test("a command at QoS 0 is not kept, and a device without such a Session is not connected", async () => {
  const world = await World.create();
  const qos0 = connect4(world);
  qos0.subscribe(commands, 0);
  await world.time.advance(0);
  qos0.lose();
  await world.time.advance(0);
  const afterQos0 = await command(world, "a");
  const clean = world.connect(4);
  clean.subscribe(commands);
  clean.lose();
  await world.time.advance(0);

  assert.deepEqual(afterQos0, ["not_subscribed"]);
  assert.deepEqual(await command(world, "b"), ["not_connected"]);
});

test("Clean Start 1 ends the Session there was [MQTT-3.1.2-4]", async () => {
  const world = await World.create();
  const first = connect5(world, 3600);
  first.subscribe(commands);
  await world.time.advance(0);
  first.lose();
  await command(world, "old");

  const clean = world.connect(5);
  await world.time.advance(0);
  clean.lose();
  const next = connect5(world, 3600);
  await world.time.advance(0);

  assert.equal(clean.of("connack")[0]?.sessionPresent, false);
  assert.equal(next.of("connack")[0]?.sessionPresent, false);
  assert.deepEqual(next.of("publish"), []);
});

for (const [name, connectClean] of [
  ["3.1.1", (world: World) => world.connect(4)],
  ["5.0", (world: World) => world.connect(5)],
] as const) {
  test(`Clean Start 1 ends the Session also where it takes it from a connection that lives (${name}) [MQTT-3.1.2-4]`, async () => {
    const world = await World.create();
    const first = connect4(world);
    first.subscribe(commands);
    await world.time.advance(0);
    await command(world, "old");

    const clean = connectClean(world);
    await world.time.advance(0);
    clean.lose();
    await world.time.advance(0);
    const next = connect4(world);
    await world.time.advance(0);

    assert.equal(next.of("connack")[0]?.sessionPresent, false);
    assert.deepEqual(next.of("publish"), []);
  });
}

test("the Session Expiry Interval is capped at a day, and the cap is told", async () => {
  const world = await World.create();

  const expiries = [0, 600, sessionExpirySecondsMax, sessionExpirySecondsMax + 1, 0xffff_ffff].map(
    (seconds) => {
      const [connack] = connect5(world, seconds).of("connack");
      return connack?.properties?.sessionExpiryInterval;
    },
  );

  assert.deepEqual(expiries, [undefined, undefined, undefined, 86_400, 86_400]);
});

test("a registry that keeps no Sessions says Session Expiry Interval 0", async () => {
  const world = await World.create({ policy: { keepSessions: false } });
  const first = connect5(world, 600);
  first.subscribe(commands);
  await world.time.advance(0);
  first.lose();

  const next = connect5(world, 600);
  await world.time.advance(0);

  assert.equal(next.of("connack")[0]?.properties?.sessionExpiryInterval, 0);
  assert.equal(next.of("connack")[0]?.sessionPresent, false);
  assert.deepEqual(await command(world, "x"), ["not_subscribed"]);
});

test("a Session is over when its time is", async () => {
  const world = await World.create();
  const first = connect5(world, 600);
  first.subscribe(commands);
  await world.time.advance(0);
  first.lose();
  await world.time.advance(599_000);
  const within = await command(world, "a");
  await world.time.advance(1_000);

  const after = await command(world, "b");
  const next = connect5(world, 600);

  assert.deepEqual([within, after], [["queued"], ["not_connected"]]);
  assert.equal(next.of("connack")[0]?.sessionPresent, false);
});

test("DISCONNECT may shorten the Session, also to nothing, but not begin one (5.0 §3.14.2.2.2)", async () => {
  const world = await World.create();
  const shortened = connect5(world, 600);
  shortened.subscribe(commands);
  await world.time.advance(0);
  shortened.send({ type: "disconnect", reasonCode: 0, properties: { sessionExpiryInterval: 0 } });
  await world.time.advance(0);
  const afterNothing = await command(world, "x");

  const none = connect5(world, 0);
  none.send({ type: "disconnect", reasonCode: 0, properties: { sessionExpiryInterval: 60 } });

  assert.deepEqual(afterNothing, ["not_connected"]);
  assert.equal(none.of("disconnect")[0]?.reasonCode, 0x82);
});

const endings: readonly [string, (world: World, second: DeviceKey) => Promise<unknown>][] = [
  [
    "its key is revoked",
    (world, second) =>
      world.store.updateDevice(world.device(), { keys: [world.key.inState("revoked"), second.record] }),
  ],
  [
    "its key is retired",
    (world, second) =>
      world.store.updateDevice(world.device(), { keys: [world.key.inState("retired"), second.record] }),
  ],
  [
    "its device is deleted and made anew",
    async (world, second) => {
      await world.store.deleteDevice(world.device());
      await world.createDevice("fern", [second.record]);
    },
  ],
  [
    "the registry keeps Sessions no more",
    async (world) => {
      const registry = await world.store.findRegistry(registryRef);
      assert.ok(registry !== undefined);
      await world.store.updateRegistry(registryRef, { policy: { ...registry.policy, keepSessions: false } });
    },
  ],
];
for (const [what, end] of endings) {
  test(`a Session ends when ${what}, and its commands reach nobody`, async () => {
    const world = await World.create();
    const second = new DeviceKey("second");
    await world.store.updateDevice(world.device(), { keys: [world.key.record, second.record] });
    const first = connect4(world);
    first.subscribe(commands);
    await world.time.advance(0);
    first.lose();
    await command(world, "secret");

    await end(world, second);
    const next = world.connect(4, { cleanStart: false, token: second.token() });
    await world.time.advance(0);

    assert.equal(next.of("connack")[0]?.reasonCode, 0);
    assert.equal(next.of("connack")[0]?.sessionPresent, false);
    assert.deepEqual(next.of("publish"), []);
  });
}

test("a Session whose key has passed its date is over for the device's next key, and goes on with it before", async () => {
  const world = await World.create();
  const second = new DeviceKey("second");
  const expiring = { ...world.key.record, expiresAtSeconds: startSeconds + 100 };
  await world.store.updateDevice(world.device(), { keys: [expiring, second.record] });
  const connectSecond = () => world.connect(4, { cleanStart: false, token: second.token() });
  const byFirst = connect4(world);
  byFirst.subscribe(commands);
  await world.time.advance(0);
  byFirst.lose();
  await world.time.advance(0);
  const before = connectSecond();
  await world.time.advance(0);
  before.lose();
  const again = connect4(world);
  await world.time.advance(0);
  again.lose();
  await command(world, "too late");

  await world.time.advance(100_000);
  const after = connectSecond();
  await world.time.advance(0);

  assert.equal(before.of("connack")[0]?.sessionPresent, true);
  assert.equal(again.of("connack")[0]?.sessionPresent, true);
  assert.equal(after.of("connack")[0]?.sessionPresent, false);
  assert.deepEqual(after.of("publish"), []);
});

test("an identifier the store gives anew waits for the PUBACK of the command that had it, and is not settled by it", async () => {
  const late = { on: false, saves: [] as (() => void)[] };
  const world = await World.create({
    wrap: (store) => {
      const saveSession = store.saveSession.bind(store);
      store.saveSession = async (ref, session) => {
        if (late.on) await new Promise<void>((resolve) => late.saves.push(resolve));
        return saveSession(ref, session);
      };
      return store;
    },
  });
  const second = new DeviceKey("second");
  await world.store.updateDevice(world.device(), { keys: [world.key.record, second.record] });
  const first = connect4(world);
  first.subscribe(commands);
  await world.time.advance(0);
  first.lose();
  await command(world, "old");
  // The Session is taken up with another key; before that is stored the key it was kept under is retired.
  late.on = true;
  const next = world.connect(4, { cleanStart: false, token: second.token() });
  await world.time.advance(0);
  await world.store.updateDevice(world.device(), { keys: [world.key.inState("retired"), second.record] });
  late.on = false;
  for (const release of late.saves) release();
  await world.time.advance(0);
  const outcomes = await command(world, "new");

  const sent = () =>
    next.of("publish").map(({ payload, packetIdentifier }) => [text(payload), packetIdentifier]);
  const beforeAcknowledging = sent();
  const acknowledge = async () => {
    next.send({ type: "puback", packetIdentifier: 1, reasonCode: 0 });
    await world.time.advance(0);
  };
  await acknowledge();
  const afterTheFirst = [...outcomes];
  await acknowledge();

  assert.deepEqual(beforeAcknowledging, [["old", 1]]);
  assert.deepEqual(sent(), [
    ["old", 1],
    ["new", 1],
  ]);
  assert.deepEqual([afterTheFirst, outcomes], [[], ["delivered"]]);
});

test("a blocked device keeps its Session, and gets nothing from it while it is blocked", async () => {
  const world = await World.create();
  const first = connect4(world);
  first.subscribe(commands);
  await world.time.advance(0);
  await world.store.updateDevice(world.device(), { blocked: true });
  await world.time.advance(1_000);
  const queued = await command(world, "later");
  const refused = connect4(world);
  await world.store.updateDevice(world.device(), { blocked: false });

  const next = connect4(world);
  await world.time.advance(0);

  assert.equal(first.isClosed, true);
  assert.deepEqual(queued, ["queued"]);
  assert.equal(refused.of("connack")[0]?.reasonCode, 5);
  assert.deepEqual(
    next.of("publish").map(({ payload }) => text(payload)),
    ["later"],
  );
});

test("the Session goes with the key that renewed it: retiring the one before leaves it", async () => {
  const world = await World.create();
  const second = new DeviceKey("second");
  await world.store.updateDevice(world.device(), { keys: [world.key.record, second.record] });
  const client = world.connectByMethod({
    cleanStart: false,
    properties: { sessionExpiryInterval: 600 },
  });
  client.subscribe(commands);
  client.authenticate(second.token({ sub: fernPath }));
  await world.time.advance(0);
  client.lose();
  await world.store.updateDevice(world.device(), { keys: [world.key.inState("retired"), second.record] });

  const queued = await command(world, "still here");

  assert.deepEqual(queued, ["queued"]);
});

test("config that was acknowledged is not sent again when a Session is resumed; a newer one is", async () => {
  const world = await World.create();
  const first = connect4(world);
  first.subscribe(config);
  await world.time.advance(0);
  acknowledgeAll(first);
  await world.time.advance(0);
  first.lose();
  const same = connect4(world);
  await world.time.advance(0);
  same.lose();
  await world.store.modifyConfig(world.device(), bytes("new"), 0);

  const next = connect4(world);
  await world.time.advance(0);

  assert.equal(same.of("connack")[0]?.sessionPresent, true);
  assert.deepEqual(same.of("publish"), []);
  assert.deepEqual(
    next.of("publish").map(({ payload }) => text(payload)),
    ["new"],
  );
});

test("an ordinary takeover resumes the Session too, with what was in flight", async () => {
  const world = await World.create();
  const old = connect5(world, 600);
  old.subscribe(commands);
  await world.time.advance(0);
  await command(world, "go");

  const next = connect5(world, 600);
  await world.time.advance(0);

  assert.equal(old.of("disconnect")[0]?.reasonCode, 0x8e);
  assert.equal(next.of("connack")[0]?.sessionPresent, true);
  assert.deepEqual(
    next.of("publish").map(({ payload, dup }) => [text(payload), dup]),
    [["go", true]],
  );
});

test("a Session resumed with Session Expiry Interval 0 ends with that connection", async () => {
  const world = await World.create();
  const first = connect5(world, 600);
  first.subscribe(commands);
  await world.time.advance(0);
  first.lose();
  const last = connect5(world, 0);
  await world.time.advance(0);
  last.lose();
  await world.time.advance(0);

  const next = connect5(world, 600);

  assert.equal(last.of("connack")[0]?.sessionPresent, true);
  assert.equal(next.of("connack")[0]?.sessionPresent, false);
});

/** A store whose writes of Sessions are done, in order, when they are released. */
async function slowWorld(): Promise<{ world: World; writes: (() => void)[] }> {
  const writes: (() => void)[] = [];
  const late = <T>(write: () => Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      writes.push(() => write().then(resolve, reject));
    });
  const world = await World.create({
    wrap: (store) => {
      const { saveSession, leaveSession, queueCommand } = store;
      store.saveSession = (...all) => late(() => saveSession.apply(store, all));
      store.leaveSession = (...all) => late(() => leaveSession.apply(store, all));
      store.queueCommand = (...all) => late(() => queueCommand.apply(store, all));
      return store;
    },
  });
  return { world, writes };
}

async function releaseAll(world: World, writes: (() => void)[]): Promise<void> {
  for (let write = writes.shift(); write !== undefined; write = writes.shift()) {
    write();
    await world.time.advance(0);
  }
}

test("a command that becomes durable after a takeover goes out on the connection that has the Session now", async () => {
  const { world, writes } = await slowWorld();
  const first = connect4(world);
  first.subscribe(commands);
  await releaseAll(world, writes);
  await command(world, "go");

  const next = connect4(world);
  await releaseAll(world, writes);

  assert.deepEqual(
    next.of("publish").map(({ payload, dup }) => [text(payload), dup]),
    [["go", false]],
  );
});

test("a device that comes back while its Session is being stored finds it", async () => {
  const { world, writes } = await slowWorld();
  const first = connect4(world);
  first.lose();
  const next = connect4(world);
  await world.time.advance(0);
  const before = next.of("connack").length;

  await releaseAll(world, writes);

  assert.equal(before, 0);
  assert.equal(next.of("connack")[0]?.sessionPresent, true);
});

test("a command that waits for the store when its device comes back is sent again with DUP, once", async () => {
  const { world, writes } = await slowWorld();
  const first = connect4(world);
  first.subscribe(commands);
  await releaseAll(world, writes);
  first.lose();
  await command(world, "go");
  const second = connect4(world);
  await releaseAll(world, writes);
  second.lose();

  const third = connect4(world);
  await releaseAll(world, writes);

  assert.deepEqual(
    [second, third].map((client) => client.of("publish").map(({ payload, dup }) => [text(payload), dup])),
    [[["go", false]], [["go", true]]],
  );
});

test("a config in flight that does not fit the next connection's Receive Maximum is sent when there is room", async () => {
  const world = await World.create();
  await world.store.modifyConfig(world.device(), bytes("every: 60"), 0);
  const first = connect5(world, 600);
  first.subscribe(commands);
  await command(world, "go");
  first.subscribe(config);
  await world.time.advance(0);

  const narrow = connect5(world, 600, { properties: { sessionExpiryInterval: 600, receiveMaximum: 1 } });
  await world.time.advance(0);
  acknowledgeAll(narrow);
  await world.time.advance(0);

  assert.deepEqual(
    narrow.of("publish").map(({ payload }) => text(payload)),
    ["go", "every: 60"],
  );
});

test("a config that was being looked up for a connection that is taken over goes out on the next one", async () => {
  const late: (() => void)[] = [];
  const world = await World.create({
    wrap: (store) => {
      const lookUpConfig = store.lookUpConfig.bind(store);
      store.lookUpConfig = (ref, answer) => lookUpConfig(ref, (one) => late.push(() => answer(one)));
      return store;
    },
  });
  const first = connect4(world);
  first.subscribe(config);
  await world.time.advance(0);
  const next = connect4(world);
  await world.time.advance(0);

  for (const answer of late) answer();
  await world.time.advance(0);

  assert.equal(next.of("publish").length, 1);
});

test("a device made anew under its name has no part in the Session of the one that was deleted and still lives", async () => {
  const world = await World.create();
  const first = connect4(world);
  first.subscribe(commands);
  await world.time.advance(0);
  const second = new DeviceKey("second");

  // In one turn: the old connection does not know yet.
  const deleted = world.store.deleteDevice(world.device());
  const made = world.createDevice("fern", [second.record]);
  const next = world.connect(4, { cleanStart: false, token: second.token() });
  await Promise.all([deleted, made]);
  await world.time.advance(0);

  assert.equal(next.of("connack")[0]?.sessionPresent, false);
  assert.equal(first.isClosed, true);
});

test("a token that expires while its Session is looked up is refused, and not admitted to be cut at once", async () => {
  const late: (() => void)[] = [];
  const world = await World.create({
    wrap: (store) => {
      const lookUpSession = store.lookUpSession.bind(store);
      store.lookUpSession = (ref, answer) => lookUpSession(ref, (one) => late.push(() => answer(one)));
      return store;
    },
  });
  const client = world.connect(5, { token: world.key.token({ exp: startSeconds + 2 }) });
  await world.time.advance(2_000);

  for (const answer of late) answer();
  await world.time.advance(0);

  assert.deepEqual(
    client.packets.map((packet) => [packet.type, packet.type === "connack" && packet.reasonCode]),
    [["connack", 0x87]],
  );
  assert.equal(world.diary.lines.at(-1), "refused token_expired authentic");
});

test("a SUBACK of a kept Session leaves when the subscription is durable, and says so when it cannot be", async () => {
  let isFailing = false;
  const saves: (() => void)[] = [];
  const world = await World.create({
    wrap: (store) => {
      const saveSession = store.saveSession.bind(store);
      store.saveSession = async (ref, session) => {
        if (session.isNew) return saveSession(ref, session);
        await new Promise<void>((resolve) => saves.push(resolve));
        if (isFailing) throw new Error("the disk is gone");
        return saveSession(ref, session);
      };
      return store;
    },
  });
  const client = connect5(world, 600);
  client.subscribe(commands);
  await world.time.advance(0);
  const before = client.of("suback").length;
  saves.shift()?.();
  await world.time.advance(0);
  isFailing = true;
  client.subscribe(commands);
  await world.time.advance(0);
  saves.shift()?.();
  await world.time.advance(0);

  assert.equal(before, 0);
  assert.deepEqual(
    client.of("suback").map(({ reasonCodes }) => reasonCodes),
    [[1], [0x80]],
  );
});

test("a command is sent when it is durable, and refused when the store cannot take it", async () => {
  let isFailing = false;
  const world = await World.create({
    wrap: (store) => {
      const queueCommand = store.queueCommand.bind(store);
      store.queueCommand = async (ref, one) => {
        if (isFailing) throw new Error("the disk is gone");
        return queueCommand(ref, one);
      };
      return store;
    },
  });
  const client = connect4(world);
  client.subscribe(commands);
  await world.time.advance(0);
  isFailing = true;
  const live = await command(world, "x");
  client.lose();
  const away = await command(world, "x");

  assert.deepEqual([live, away], [["store_unavailable"], ["store_unavailable"]]);
  assert.deepEqual(client.of("publish"), []);
});

test("a device that is away costs the bridge nothing", async () => {
  const world = await World.create();
  const client = connect4(world);
  client.subscribe(commands);
  await world.time.advance(0);
  await command(world, "x");
  client.lose();
  await world.time.advance(10_000);

  const counts = world.bridge.counts();

  assert.deepEqual(
    Object.entries(counts).filter(([, count]) => count !== 0),
    [],
  );
});
