import assert from "node:assert/strict";
import { test } from "node:test";
import type { Properties } from "@mayfly/core/mqtt";
import {
  DeviceKey,
  fernPath,
  registryRef,
  startSeconds,
  type TestClient,
  World,
} from "../../test/bridge-world.ts";
import { renewalWindowOf } from "../auth/renewal-window.ts";

/** A token of `fern` issued so many seconds after the world began. */
function tokenAt(world: World, seconds: number, key: DeviceKey = world.key, lifetimeSeconds = 3600): string {
  const iat = startSeconds + seconds;
  return key.token({ iat, exp: iat + lifetimeSeconds, sub: fernPath });
}

/** Time in which the client says no more than its Keep Alive demands. */
async function passListening(world: World, client: TestClient, seconds: number): Promise<void> {
  for (let left = seconds; left > 0; left -= 1_000) {
    client.send({ type: "pingreq" });
    await world.time.advance(Math.min(left, 1_000) * 1_000);
  }
}

function userProperty(properties: Properties | undefined, name: string): string | undefined {
  return properties?.userProperties?.find(([key]) => key === name)?.[1];
}

/** What ended a client: DISCONNECT's Reason Code and String. */
function endOf(client: TestClient): readonly [number | undefined, string | undefined, boolean] {
  const [disconnect] = client.of("disconnect");
  return [disconnect?.reasonCode, disconnect?.properties?.reasonString, client.isClosed];
}

test("CONNACK echoes the method and tells exp, window and server time [MQTT-4.12.0-5]", async () => {
  const world = await World.create();

  const client = world.connectByMethod();

  const [connack] = client.of("connack");
  const principal = world.bridge.findSession(world.device())?.principal;
  assert.ok(principal !== undefined);
  const { fromSeconds, untilSeconds } = renewalWindowOf(principal);
  assert.equal(connack?.reasonCode, 0);
  assert.equal(connack?.properties?.authenticationMethod, "mayfly-jwt");
  assert.deepEqual(connack?.properties?.userProperties, [
    ["server-time", `${startSeconds}.000`],
    ["exp", String(startSeconds + 3600)],
    ["renew-from", String(fromSeconds)],
    ["renew-until", String(untilSeconds)],
  ]);
});

test("AUTH 0x19 with the next token is answered 0x00 with the method, and moves the deadline [MQTT-4.12.1-1]", async () => {
  const world = await World.create();
  const client = world.connectByMethod({ token: tokenAt(world, 0) });
  await passListening(world, client, 3_000);

  client.authenticate(tokenAt(world, 3000));
  await world.time.advance(0);

  const [auth] = client.of("auth");
  assert.equal(auth?.reasonCode, 0);
  assert.equal(auth?.properties?.authenticationMethod, "mayfly-jwt");
  assert.equal(userProperty(auth?.properties, "exp"), String(startSeconds + 6600));
  assert.equal(userProperty(auth?.properties, "server-time"), `${startSeconds + 3000}.000`);
  assert.ok(world.diary.lines.includes("renewed fern"));
  await passListening(world, client, 3_599);
  assert.equal(client.isClosed, false, "the old token's deadline is gone");
  await world.time.advance(1_000);
  assert.deepEqual(endOf(client), [0x87, "token_expired", true]);
});

test("fifty renewals make a session of two days out of tokens of an hour, with one CONNECT", async () => {
  const world = await World.create();
  const client = world.connectByMethod();
  for (let renewal = 1; renewal <= 50; renewal++) {
    await passListening(world, client, 3_000);
    client.authenticate(tokenAt(world, renewal * 3000));
  }
  await world.time.advance(0);

  assert.equal(client.of("auth").length, 50);
  assert.equal(client.of("connack").length, 1);
  assert.equal(client.isClosed, false);
  assert.equal(world.bridge.counts().sessions, 1);
});

test("a token refused in a re-authentication closes the connection with 0x87, unnamed but for a clock's fault [MQTT-4.12.1-2]", async () => {
  const world = await World.create();
  const stranger = new DeviceKey("stranger");
  const refusals = [
    ["token_signature_invalid", () => tokenAt(world, 0, stranger), undefined],
    ["token_malformed", () => "x.y.z", undefined],
    ["token_expired", () => tokenAt(world, -7200), "token_expired"],
    ["token_from_future", () => tokenAt(world, 7200), "token_from_future"],
    ["token_subject_missing", () => world.key.token({ iat: startSeconds + 1 }), undefined],
    ["token_audience_mismatch", () => world.key.token({ aud: "other", sub: fernPath }), undefined],
  ] as const;

  for (const [because, make, told] of refusals) {
    const client = world.connectByMethod();
    client.authenticate(make());
    await world.time.advance(0);

    assert.deepEqual(endOf(client), [0x87, told, true], because);
    assert.notEqual(userProperty(client.of("disconnect")[0]?.properties, "server-time"), undefined);
    assert.equal(client.of("auth").length, 0);
    assert.ok(
      world.diary.lines.some((line) => line.startsWith(`renewalRefused ${because}`)),
      because,
    );
    assert.equal(world.diary.lines.at(-1), "disconnected fern reauthentication_refused");
    await world.time.advance(11_000);
  }
});

test("AUTH 0x19 by another method, and AUTH 0x18 that nobody asked for, are protocol errors [MQTT-4.12.1-1]", async () => {
  const world = await World.create();
  const other = world.connectByMethod();
  other.authenticate(tokenAt(world, 1), "mayfly-jwt-nonce");
  const unasked = world.connectByMethod();

  unasked.send({ type: "auth", reasonCode: 0x18, properties: { authenticationMethod: "mayfly-jwt" } });
  await world.time.advance(0);

  assert.deepEqual(
    [endOf(other), endOf(unasked)],
    [
      [0x82, "protocol_error", true],
      [0x82, "protocol_error", true],
    ],
  );
});

test("method and Password together are refused with 0x87", async () => {
  const world = await World.create();

  const client = world.connectByMethod({ password: Buffer.from(world.key.token({ sub: fernPath })) });

  assert.equal(client.of("connack")[0]?.reasonCode, 0x87);
  assert.equal(world.diary.lines.at(-1), "refused credentials_ambiguous");
});

test("a method without Authentication Data is refused like any malformed token", async () => {
  const world = await World.create();
  const client = world.open(5);

  client.send({
    type: "connect",
    protocolVersion: 5,
    cleanStart: true,
    keepAlive: 0,
    clientIdentifier: fernPath,
    properties: { authenticationMethod: "mayfly-jwt" },
  });

  assert.equal(client.of("connack")[0]?.reasonCode, 0x87);
  assert.equal(world.diary.lines.at(-1), "refused token_malformed");
});

test("the same token again is answered as before, without another verification", async () => {
  const world = await World.create();
  const client = world.connectByMethod();
  const token = tokenAt(world, 1);
  client.authenticate(token);
  const verifications = () => world.diary.lines.filter((line) => line.startsWith("verified")).length;
  const before = verifications();

  client.authenticate(token);
  client.authenticate(token);
  await world.time.advance(0);

  assert.equal(verifications(), before);
  assert.equal(client.of("auth").length, 3);
  assert.deepEqual(client.of("auth")[1], client.of("auth")[0]);
});

test("a second verification within 5 s is refused with 0x96, and taken at 5 s", async () => {
  const world = await World.create();
  const hasty = world.connectByMethod();
  hasty.authenticate(tokenAt(world, 1));
  await world.time.advance(4_999);
  hasty.authenticate(tokenAt(world, 2));
  await world.time.advance(0);
  const patient = world.connectByMethod();
  patient.authenticate(tokenAt(world, 3));
  await world.time.advance(5_000);

  patient.authenticate(tokenAt(world, 4));
  await world.time.advance(0);

  assert.deepEqual(endOf(hasty), [0x96, undefined, true]);
  assert.deepEqual([patient.of("auth").length, patient.isClosed], [2, false]);
});

/** A world whose registry answers look-ups when told to. */
async function worldOfLateAnswers(): Promise<{
  world: World;
  answers: (() => void)[];
  late: { on: boolean };
}> {
  const answers: (() => void)[] = [];
  const late = { on: false };
  const world = await World.create({
    wrap: (store) => {
      const lookUpAdmission = store.lookUpAdmission.bind(store);
      store.lookUpAdmission = (ref, answer) =>
        lookUpAdmission(ref, (record) =>
          late.on ? void answers.push(() => answer(record)) : answer(record),
        );
      return store;
    },
  });
  return { world, answers, late };
}

test("one re-authentication at a time: a second one before the answer is refused with 0x96", async () => {
  const { world, late } = await worldOfLateAnswers();
  const client = world.connectByMethod();
  late.on = true;

  client.authenticate(tokenAt(world, 1));
  client.authenticate(tokenAt(world, 2));
  await world.time.advance(0);

  assert.deepEqual(endOf(client), [0x96, undefined, true]);
});

test("what comes between AUTH and its answer runs under the old rights, and is served at once", async () => {
  const { world, answers, late } = await worldOfLateAnswers();
  const client = world.connectByMethod();
  late.on = true;
  client.authenticate(tokenAt(world, 1));

  client.publish(1);
  client.send({ type: "pingreq" });
  world.backbone.answer(0);
  await world.time.advance(0);
  const before = client.packets.map(({ type }) => type);
  answers[0]?.();
  await world.time.advance(0);

  assert.deepEqual(before, ["connack", "pingresp", "puback"]);
  assert.equal(client.of("auth").length, 1);
});

test("a deadline that passes before the answer ends the session all the same", async () => {
  const { world, answers, late } = await worldOfLateAnswers();
  const client = world.connectByMethod({ token: tokenAt(world, 0, world.key, 60) });
  late.on = true;
  await world.time.advance(59_000);
  client.authenticate(tokenAt(world, 59));
  await world.time.advance(1_000);

  answers[0]?.();
  await world.time.advance(0);

  assert.deepEqual(endOf(client), [0x87, "token_expired", true]);
  assert.equal(client.of("auth").length, 0);
  assert.equal(world.bridge.counts().sessions, 0);
});

test("within one connection a token older than the last by more than the skew is refused; across connections it is not", async () => {
  const world = await World.create();
  const client = world.connectByMethod({ token: tokenAt(world, 0) });

  client.authenticate(tokenAt(world, -90));
  await world.time.advance(5_000);
  const within = client.of("auth").length;
  client.authenticate(tokenAt(world, -181));
  await world.time.advance(0);
  const anew = world.connectByMethod({ token: tokenAt(world, -181) });

  assert.equal(within, 1);
  assert.deepEqual(endOf(client), [0x87, undefined, true]);
  assert.ok(world.diary.lines.includes("renewalRefused token_superseded"));
  assert.equal(anew.of("connack")[0]?.reasonCode, 0);
});

test("the new token's key replaces the old one: retiring the old key leaves the session, revoking the new one ends it", async () => {
  const world = await World.create();
  const second = new DeviceKey("second");
  await world.store.updateDevice(world.device(), { keys: [world.key.record, second.record] });
  const client = world.connectByMethod();

  client.authenticate(tokenAt(world, 1, second));
  await world.store.updateDevice(world.device(), { keys: [world.key.inState("retired"), second.record] });
  await world.time.advance(1_000);
  const afterRetiring = client.isClosed;
  await world.store.updateDevice(world.device(), {
    keys: [world.key.inState("retired"), second.inState("revoked")],
  });
  await world.time.advance(1_000);

  assert.ok(world.diary.lines.includes("renewed fern keyChanged"));
  assert.equal(afterRetiring, false);
  assert.deepEqual(endOf(client), [0x98, undefined, true]);
});

test("a right taken away between two renewals is gone at the next, even where the change itself was not told", async () => {
  const takings: readonly [string, (world: World) => Promise<unknown>][] = [
    ["device_blocked", (world) => world.store.updateDevice(world.device(), { blocked: true })],
    [
      "key_retired",
      (world) => world.store.updateDevice(world.device(), { keys: [world.key.inState("retired")] }),
    ],
    [
      "key_revoked",
      (world) => world.store.updateDevice(world.device(), { keys: [world.key.inState("revoked")] }),
    ],
    ["bridge_disabled", (world) => world.store.updateRegistry(registryRef, { mqttEnabled: false })],
    ["device_unknown", (world) => world.store.deleteDevice(world.device())],
  ];
  for (const [because, take] of takings) {
    const world = await World.create({
      wrap: (store) => {
        store.onChange = () => () => undefined;
        return store;
      },
    });
    const client = world.connectByMethod();
    client.authenticate(tokenAt(world, 1));
    await world.time.advance(5_000);

    await take(world);
    await world.time.advance(1_000);
    const before = client.isClosed;
    client.authenticate(tokenAt(world, 6));
    await world.time.advance(0);

    assert.equal(before, false, because);
    assert.equal(client.isClosed, true, because);
    assert.ok(
      world.diary.lines.some((line) => line.startsWith(`renewalRefused ${because}`)),
      because,
    );
  }
});

test("the same token again does not keep a right that was taken away", async () => {
  const world = await World.create({
    wrap: (store) => {
      store.onChange = () => () => undefined;
      return store;
    },
  });
  const token = tokenAt(world, 0);
  const client = world.connectByMethod({ token });
  await world.store.updateDevice(world.device(), { blocked: true });

  client.authenticate(token);
  await world.time.advance(0);

  assert.deepEqual(endOf(client), [0x98, undefined, true]);
});

test("a device made anew under its old name does not inherit the session by its token", async () => {
  const world = await World.create({
    wrap: (store) => {
      store.onChange = () => () => undefined;
      return store;
    },
  });
  const client = world.connectByMethod();
  await world.store.deleteDevice(world.device());
  await world.createDevice("fern", [world.key.record]);

  client.authenticate(tokenAt(world, 1));
  await world.time.advance(0);

  assert.equal(client.isClosed, true);
  assert.equal(world.diary.lines.at(-1), "disconnected fern device_deleted");
});

test("a key revoked while the token it signed is judged does not live on in the session", async () => {
  const { world, answers, late } = await worldOfLateAnswers();
  const second = new DeviceKey("second");
  await world.store.updateDevice(world.device(), { keys: [world.key.record, second.record] });
  const client = world.connectByMethod();
  late.on = true;
  client.authenticate(tokenAt(world, 1, second));
  late.on = false;

  await world.store.updateDevice(world.device(), { keys: [world.key.record, second.inState("revoked")] });
  await world.time.advance(1_000);
  const underTheOldKey = client.isClosed;
  answers[0]?.();
  await world.time.advance(1_000);

  assert.equal(underTheOldKey, false);
  assert.equal(client.isClosed, true);
  assert.equal(world.diary.lines.at(-1), "disconnected fern key_revoked");
});

test("without leave to send problem information, or room for it, AUTH carries the method alone [MQTT-3.1.2-29]", async () => {
  const world = await World.create();
  const taciturn = world.connectByMethod({
    properties: { requestProblemInformation: 0 },
  });
  taciturn.authenticate(tokenAt(world, 1));
  await world.time.advance(5_000);
  const small = world.connectByMethod({ properties: { maximumPacketSize: 100 } });

  small.authenticate(tokenAt(world, 6));
  await world.time.advance(0);

  const bare = { type: "auth", reasonCode: 0, properties: { authenticationMethod: "mayfly-jwt" } };
  assert.deepEqual([taciturn.of("auth"), small.of("auth")], [[bare], [bare]]);
});

test("a re-authentication leaves subscriptions, topic aliases and what is in flight as they are", async () => {
  const world = await World.create();
  const client = world.connectByMethod();
  client.subscribe("/devices/fern/commands/#");
  client.send({
    type: "publish",
    dup: false,
    qos: 1,
    retain: false,
    topic: "/devices/fern/events",
    packetIdentifier: 1,
    payload: Buffer.from("a"),
    properties: { topicAlias: 3 },
  });

  client.authenticate(tokenAt(world, 1));
  client.send({
    type: "publish",
    dup: false,
    qos: 1,
    retain: false,
    topic: "",
    packetIdentifier: 2,
    payload: Buffer.from("b"),
    properties: { topicAlias: 3 },
  });
  world.backbone.answer(0);
  world.backbone.answer(0);
  world.bridge.sendCommand(world.device(), { payload: Buffer.from("c"), subfolder: "" }, () => undefined);
  await world.time.advance(0);

  assert.deepEqual(
    client.of("puback").map(({ packetIdentifier }) => packetIdentifier),
    [1, 2],
  );
  assert.equal(client.of("publish").length, 1);
});
