import assert from "node:assert/strict";
import { test } from "node:test";
import {
  DeviceKey,
  fernPath,
  registryRef,
  startSeconds,
  type TestClient,
  World,
} from "../../test/bridge-world.ts";
import { renewalWindowOf } from "../auth/renewal-window.ts";
import { drainedAtOnce, drainPauseMillis, rejudgedPerTurnMax } from "./limits.ts";

const idle = {
  connections: 0,
  unauthenticated: 0,
  sessions: 0,
  attached: 0,
  deadlines: 0,
  unacknowledged: 0,
  held: 0,
  heldBytes: 0,
  downlinkInFlight: 0,
  inFlightMessages: 0,
  inFlightBytes: 0,
  loadWaiters: 0,
  admissionsWaiting: 0,
  rejudgements: 0,
};

function windowOf(world: World): readonly (readonly [string, string])[] {
  const principal = world.bridge.findSession(world.device())?.principal;
  assert.ok(principal !== undefined);
  const { fromSeconds, untilSeconds } = renewalWindowOf(principal);
  return [
    ["renew-from", String(fromSeconds)],
    ["renew-until", String(untilSeconds)],
  ];
}

for (const version of [4, 5] as const) {
  test(`a device with a good token is accepted (protocol version ${version})`, async () => {
    const world = await World.create();

    const client = world.connect(version);

    const [connack] = client.of("connack");
    assert.equal(connack?.reasonCode, 0);
    assert.equal(connack?.sessionPresent, false);
    assert.equal(world.bridge.findSession(world.device())?.principal.keyId, "first");
    assert.equal(client.isClosed, false);
  });
}

test("a 5.0 client is told our limits, and the Server Keep Alive when it names none", async () => {
  const world = await World.create();

  const client = world.connect(5);

  assert.deepEqual(client.of("connack")[0]?.properties, {
    receiveMaximum: 20,
    maximumQoS: 1,
    retainAvailable: 0,
    maximumPacketSize: 288 * 1024,
    topicAliasMaximum: 16,
    wildcardSubscriptionAvailable: 1,
    subscriptionIdentifiersAvailable: 0,
    sharedSubscriptionAvailable: 0,
    serverKeepAlive: 1200,
    userProperties: [
      ["server-time", `${startSeconds}.000`],
      ["exp", String(startSeconds + 3600)],
      ...windowOf(world),
    ],
  });
});

test("the newcomer takes over, and the late close of the old socket does not remove its session", async () => {
  const world = await World.create();
  const old = world.connect(5);

  const newcomer = world.connect(4);
  old.lose();

  assert.equal(old.of("disconnect")[0]?.reasonCode, 0x8e);
  assert.equal(old.isClosed, true);
  assert.equal(newcomer.isClosed, false);
  assert.equal(world.bridge.findSession(world.device())?.protocolVersion, 4);
  assert.equal(world.bridge.counts().sessions, 1);
  assert.deepEqual(world.diary.lines, [
    "verified accepted",
    "connected fern",
    "verified accepted",
    "disconnected fern taken_over",
    "connected fern tookOver",
  ]);
});

test("our own agent that connects anew with the same key has renewed: nothing on the device's page looks like trouble", async () => {
  const world = await World.create();
  const path = "projects/mayfly/locations/here/registries/greenhouse/devices/fern";
  const old = world.connect(5, { userName: "mayfly/1", token: world.key.token({ sub: path }) });

  world.connect(5, { userName: "mayfly/1", token: world.key.token({ sub: path }) });
  await world.time.advance(10_000);

  assert.equal(old.of("disconnect")[0]?.reasonCode, 0x8e);
  assert.ok(world.diary.lines.includes("disconnected fern renewed"));
  assert.equal((await world.store.findDevice(world.device()))?.activity.errorCode, undefined);
});

test("a message of the old connection is never acknowledged on the new one", async () => {
  const world = await World.create();
  const old = world.connect();
  old.publish(7);

  const newcomer = world.connect();
  world.backbone.answer(0);
  await world.time.advance(10);

  assert.deepEqual([old.of("puback"), newcomer.of("puback")], [[], []]);
});

test("a device that connected by numId and again by its id is one device", async () => {
  const world = await World.create();
  const numId = (await world.store.findDevice(world.device()))?.numId ?? "";
  const byNumId = world.connect(4, {
    clientIdentifier: `projects/mayfly/locations/here/registries/greenhouse/devices/${numId}`,
  });

  world.connect();

  assert.equal(byNumId.isClosed, true);
  assert.equal(world.bridge.counts().sessions, 1);
  assert.notEqual(world.bridge.findSession({ ...registryRef, device: numId }), undefined);
});

test("a silent listener is cut when its token expires, to the second", async () => {
  const world = await World.create();
  const client = world.connect(5, { token: world.key.token({ exp: startSeconds + 600 }) });
  client.subscribe("/devices/fern/config");

  await world.time.advance(599_000);
  assert.equal(client.isClosed, false);
  await world.time.advance(1_000);

  assert.equal(client.isClosed, true);
  assert.equal(client.of("disconnect")[0]?.reasonCode, 0x87);
  assert.equal(client.of("disconnect")[0]?.properties?.reasonString, "token_expired");
});

test("grace prolongs the session by exactly itself", async () => {
  const world = await World.create({ policy: { graceSeconds: 300 } });
  const client = world.connect(4, { token: world.key.token({ exp: startSeconds + 100 }) });

  await world.time.advance(399_000);
  assert.equal(client.isClosed, false);
  await world.time.advance(1_000);

  assert.equal(client.isClosed, true);
});

test("a session ends when the key that verified expires, though its token would go on", async () => {
  const world = await World.create();
  const keys = [world.key.inState("retiring", { expiresAtSeconds: startSeconds + 50 })];
  await world.store.updateDevice(world.device(), { keys });
  const client = world.connect();

  await world.time.advance(50_000);

  assert.equal(client.isClosed, true);
  assert.equal(world.diary.lines.at(-1), "disconnected fern key_expired");
});

test("a session ends at the connection maximum with 0xA0", async () => {
  const world = await World.create({ policy: { connectionMaxSeconds: 60 } });
  const client = world.connect(5);

  await world.time.advance(60_000);

  assert.equal(client.of("disconnect")[0]?.reasonCode, 0xa0);
});

test("silence of one and a half times the Keep Alive ends the connection, a PINGREQ before does not", async () => {
  const world = await World.create();
  const client = world.connect(5, { keepAlive: 60 });

  await world.time.advance(80_000);
  client.send({ type: "pingreq" });
  await world.time.advance(89_000);
  assert.equal(client.isClosed, false);
  await world.time.advance(1_000);

  assert.equal(client.of("pingresp").length, 1);
  assert.equal(client.of("disconnect")[0]?.reasonCode, 0x8d);
});

test("a 3.1.1 client without Keep Alive is closed after 20 minutes of silence", async () => {
  const world = await World.create();
  const client = world.connect(4, { token: world.key.token({ exp: startSeconds + 80_000 }) });

  await world.time.advance(1_199_000);
  assert.equal(client.isClosed, false);
  await world.time.advance(1_000);

  assert.equal(client.isClosed, true);
});

const changes: readonly [string, (world: World) => Promise<unknown>, string][] = [
  ["a blocked device", (w) => w.store.updateDevice(w.device(), { blocked: true }), "device_blocked"],
  ["a deleted device", (w) => w.store.deleteDevice(w.device()), "device_deleted"],
  [
    "a retired key",
    (w) => w.store.updateDevice(w.device(), { keys: [w.key.inState("retired")] }),
    "key_retired",
  ],
  [
    "a revoked key",
    (w) => w.store.updateDevice(w.device(), { keys: [w.key.inState("revoked")] }),
    "key_revoked",
  ],
  ["a removed key", (w) => w.store.updateDevice(w.device(), { keys: [] }), "key_retired"],
  [
    "an expired key",
    (w) => w.store.updateDevice(w.device(), { keys: [w.key.inState("active", { expiresAtSeconds: 1 })] }),
    "key_expired",
  ],
  [
    "a token that was superseded",
    (w) => w.store.updateDevice(w.device(), { tokensNotBeforeSeconds: startSeconds + 1 }),
    "token_superseded",
  ],
  [
    "a registry without MQTT",
    (w) => w.store.updateRegistry(registryRef, { mqttEnabled: false }),
    "bridge_disabled",
  ],
];
for (const [what, change, because] of changes) {
  test(`${what} costs the live session within a second`, async () => {
    const world = await World.create();
    const client = world.connect();

    await change(world);
    await world.time.advance(1_000);

    assert.equal(client.isClosed, true);
    assert.equal(world.diary.lines.at(-1), `disconnected fern ${because}`);
    assert.deepEqual(world.bridge.counts(), idle);
  });
}

test("a change that does not concern the verifying key leaves the session alone", async () => {
  const world = await World.create();
  const second = new DeviceKey("second");
  await world.store.updateDevice(world.device(), { keys: [world.key.record, second.record] });
  const client = world.connect();

  await world.store.updateDevice(world.device(), { keys: [world.key.record, second.inState("revoked")] });
  await world.store.updateDevice(world.device(), { metadata: { shelf: "3" } });
  await world.time.advance(2_000);

  assert.equal(client.isClosed, false);
});

test("a key that begins to retire moves the deadline of its live session to its date", async () => {
  const world = await World.create();
  const client = world.connect();

  const keys = [world.key.inState("retiring", { expiresAtSeconds: startSeconds + 30 })];
  await world.store.updateDevice(world.device(), { keys });
  await world.time.advance(29_000);
  assert.equal(client.isClosed, false);
  await world.time.advance(1_000);

  assert.equal(world.diary.lines.at(-1), "disconnected fern key_expired");
});

test("a device blocked between the question to the registry and its answer is cut all the same", async () => {
  let late: (() => void) | undefined;
  const world = await World.create({
    wrap: (store) =>
      new Proxy(store, {
        get(target, name) {
          if (name !== "lookUpAdmission" || late !== undefined) return bound(target, name);
          const ask: typeof store.lookUpAdmission = (ref, answer) =>
            target.lookUpAdmission(ref, (record) => {
              late = () => answer(record);
            });
          return ask;
        },
      }),
  });
  const client = world.connect();

  await world.store.updateDevice(world.device(), { blocked: true });
  late?.();
  await world.time.advance(1_000);

  assert.equal(client.of("connack")[0]?.reasonCode, 0);
  assert.equal(world.diary.lines.at(-1), "disconnected fern device_blocked");
});

test("a session whose right changed and cannot be looked up ends, and is told that it may come again", async () => {
  const world = await World.create();
  const client = world.connect(5);
  world.store.lookUpAdmission = (_, answer) => answer("unavailable");

  await world.store.updateDevice(world.device(), { blocked: true });
  await world.time.advance(1_000);

  assert.equal(client.of("disconnect")[0]?.reasonCode, 0x89);
  assert.equal(world.diary.lines.at(-1), "disconnected fern registry_unavailable");
});

function bound(target: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name);
  return typeof value === "function" ? value.bind(target) : value;
}

test("lastErrorStatus and the key in use reach the registry", async () => {
  const world = await World.create();
  world.connect(4, { token: world.key.token({ exp: startSeconds + 10 }) });

  await world.time.advance(20_000);

  const activity = (await world.store.findDevice(world.device()))?.activity;
  assert.equal(activity?.keyId, "first");
  assert.equal(activity?.keyUsedMs, startSeconds * 1000);
  assert.equal(activity?.errorCode, 16);
  assert.equal(activity?.errorMessage, "mqtt: SERVER: The authorization token expired.");
});

test("a connection above the maximum is closed at once", async () => {
  const world = await World.create({ connectionMax: 1 });
  const first = world.connect();

  const second = world.connect();

  assert.deepEqual([first.isClosed, second.isClosed], [false, true]);
  assert.equal(world.diary.lines.at(-1), "refused too_many_connections");
});

test("connections that are not admitted have a maximum of their own, and make room when admitted", async () => {
  const world = await World.create({ unauthenticatedMax: 2 });
  const silent = world.open();
  world.connect();
  world.open();

  const third = world.open();

  assert.deepEqual([silent.isClosed, third.isClosed], [false, true]);
  assert.equal(world.bridge.counts().unauthenticated, 2);
  assert.equal(world.diary.lines.at(-1), "refused too_many_unauthenticated");
});

test("draining ends idle sessions at once, and others when their messages are durable", async () => {
  const world = await World.create();
  const other = new DeviceKey("other");
  await world.createDevice("moss", [other.record]);
  const quiet = world.connect(5);
  const busy = world.connect(5, {
    clientIdentifier: "projects/mayfly/locations/here/registries/greenhouse/devices/moss",
    token: other.token(),
  });
  busy.publish(1, { topic: "/devices/moss/events" });

  world.bridge.drain();
  const isQuietClosed = quiet.isClosed;
  const isBusyClosedTooSoon = busy.isClosed;
  world.backbone.answer(0);
  const late = world.open();

  assert.deepEqual([isQuietClosed, isBusyClosedTooSoon], [true, false]);
  assert.equal(quiet.of("disconnect")[0]?.reasonCode, 0x8b);
  assert.deepEqual(
    busy.packets.map(({ type }) => type),
    ["connack", "puback", "disconnect"],
  );
  assert.equal(late.isClosed, true);
  assert.deepEqual(world.bridge.counts(), idle);
});

test("a drain of many sessions ends them in groups, so that they come back spread, and within ten seconds", async () => {
  const world = await World.create();
  const clients: TestClient[] = [];
  for (let i = 0; i < drainedAtOnce + 1; i++) {
    const key = new DeviceKey(`d${i}`);
    await world.createDevice(`d-${i}`, [key.record]);
    clients.push(
      world.connect(5, { clientIdentifier: fernPath.replace("fern", `d-${i}`), token: key.token() }),
    );
    await world.time.advance(0);
  }
  const open = () => clients.filter(({ isClosed }) => !isClosed).length;

  world.bridge.drain();
  const atOnce = open();
  const late = world.connect(5);
  await world.time.advance(drainPauseMillis - 1);
  const before = open();
  await world.time.advance(1);

  assert.deepEqual([atOnce, before, open()], [1, 1, 0]);
  assert.equal(late.isClosed, true);
  assert.equal(clients.at(-1)?.of("disconnect")[0]?.reasonCode, 0x8b);
});

test("draining does not wait for the store longer than two seconds", async () => {
  const world = await World.create();
  const client = world.connect(5);
  client.publish(1);

  world.bridge.drain();
  await world.time.advance(2_000);

  assert.equal(client.isClosed, true);
  assert.deepEqual(client.of("puback"), []);
});

test("after all connections are gone nothing is counted and no timer waits", async () => {
  const world = await World.create();
  const silent = world.open();
  const live = world.connect(5);
  live.subscribe("/devices/fern/commands/#");
  live.publish(1);
  world.bridge.sendCommand(world.device(), { payload: new Uint8Array(1), subfolder: "" }, () => undefined);
  await world.time.advance(10);

  silent.lose();
  live.lose();
  world.backbone.answer(0);
  await world.time.advance(1);

  assert.deepEqual(world.bridge.counts(), idle);
  assert.equal(world.time.timersWaiting, 0);
});

test("close ends all at once and no longer listens to the registry", async () => {
  const world = await World.create();
  const live = world.connect(5);
  const silent = world.open();

  world.bridge.close();
  await world.store.updateDevice(world.device(), { blocked: true });
  await world.time.advance(0);

  assert.deepEqual([live.isClosed, silent.isClosed], [true, true]);
  assert.deepEqual(world.bridge.counts(), idle);
  assert.equal(world.time.timersWaiting, 0);
});

test("a change of a whole registry is judged in turns, and all within a second", async () => {
  const world = await World.create({ policy: { duplicateKeys: "report" }, unauthenticatedMax: 10 });
  const clients = [];
  for (let i = 0; i <= rejudgedPerTurnMax; i++) {
    await world.createDevice(`dev${i}`, [world.key.record]);
    const clientIdentifier = `projects/mayfly/locations/here/registries/greenhouse/devices/dev${i}`;
    clients.push(world.connect(4, { clientIdentifier }));
    await world.time.advance(0);
  }

  await world.store.updateRegistry(registryRef, { mqttEnabled: false });
  const waiting = world.bridge.counts().rejudgements;
  let leftAfterOneTurn = 0;
  world.time.after(0, () => {
    leftAfterOneTurn = world.bridge.counts().rejudgements;
  });
  await world.time.advance(1_000);

  assert.deepEqual([waiting, leftAfterOneTurn], [rejudgedPerTurnMax + 1, 1]);
  assert.ok(clients.every(({ isClosed }) => isClosed));
  assert.deepEqual(world.bridge.counts(), idle);
});

test("the same script gives the same packets and the same diary, twice", async () => {
  const play = async () => {
    const world = await World.create();
    world.backbone.auto = { kind: "durable", messageId: "1" };
    const told: unknown[] = [];
    for (const version of [4, 5] as const) {
      const client = world.connect(version, { keepAlive: 30 });
      client.subscribe("/devices/fern/config");
      client.subscribe("/devices/fern/commands/#");
      for (let id = 1; id <= 50; id++) {
        client.publish(id, { topic: `/devices/fern/${id % 5 === 0 ? "state" : "events"}` });
        await world.time.advance(200);
      }
      await world.store.modifyConfig(world.device(), new Uint8Array(3), 0);
      world.backbone.auto = { kind: "refused", because: "disk_full" };
      client.publish(51);
      await world.time.advance(60_000);
      world.backbone.auto = { kind: "durable", messageId: "1" };
      told.push(client.packets, world.time.monotonicMillis());
    }
    return [told, world.diary.lines, world.diary.acknowledgedMillis];
  };

  assert.deepEqual(await play(), await play());
});
