import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeConnect } from "@mayfly/core/mqtt-client";
import { DeviceKey, registryRef, startSeconds, World } from "../../test/bridge-world.ts";
import { connectBytesMax } from "./limits.ts";

const path = "projects/mayfly/locations/here/registries/greenhouse/devices/";

test("an unknown device, a blocked one, a wrong key and an unknown registry get the very same answer", async () => {
  const world = await World.create();
  const stranger = new DeviceKey("stranger");
  await world.createDevice("moss", [stranger.record]);
  await world.store.updateDevice(world.device("moss"), { blocked: true });

  const answers = [
    world.connect(5, { clientIdentifier: `${path}nobody` }),
    world.connect(5, { clientIdentifier: `${path}moss`, token: stranger.token() }),
    world.connect(5, { token: stranger.token() }),
    world.connect(5, { clientIdentifier: path.replace("greenhouse", "elsewhere").concat("fern") }),
    world.connect(5, { clientIdentifier: path.replace("mayfly", "another").concat("fern") }),
  ].map((client) => [client.of("connack")[0], client.isClosed]);

  const [first, ...others] = answers;
  for (const other of others) assert.deepEqual(other, first);
  assert.deepEqual(first, [
    {
      type: "connack",
      sessionPresent: false,
      reasonCode: 0x87,
      properties: { userProperties: [["server-time", `${startSeconds}.000`]] },
    },
    true,
  ]);
});

test("a 3.1.1 client gets return code 5 for every refused token", async () => {
  const world = await World.create();
  const tokens = ["", "x.y.z", world.key.token({ exp: startSeconds - 1 }), world.key.token({ aud: "other" })];

  const codes = tokens.map((token) => world.connect(4, { token }).of("connack")[0]?.reasonCode);

  assert.deepEqual(codes, [5, 5, 5, 5]);
});

test("a CONNECT without a Password is refused as a malformed token", async () => {
  const world = await World.create();
  const client = world.open(4);

  client.send({
    type: "connect",
    protocolVersion: 4,
    cleanStart: true,
    keepAlive: 0,
    clientIdentifier: `${path}fern`,
  });

  assert.equal(client.of("connack")[0]?.reasonCode, 5);
  assert.equal(world.diary.lines.at(-1), "refused token_malformed");
});

test("only what a wrong clock causes is named, and the record says whether it was authentic", async () => {
  const world = await World.create();

  const expired = world.connect(5, { token: world.key.token({ iat: startSeconds - 7200 }) });
  await world.time.advance(10_000);
  const future = world.connect(5, { token: world.key.token({ iat: startSeconds + 7200 }) });
  await world.time.advance(10_000);
  world.connect(5, { token: new DeviceKey("other").token({ iat: startSeconds - 7200 }) });

  assert.equal(expired.of("connack")[0]?.properties?.reasonString, "token_expired");
  assert.equal(future.of("connack")[0]?.properties?.reasonString, "token_from_future");
  assert.deepEqual(
    world.diary.lines.filter((line) => line.startsWith("refused")),
    [
      "refused token_expired authentic",
      "refused token_from_future authentic",
      "refused token_expired unauthenticated",
    ],
  );
});

test("a device with a wrong clock has its signature checked once in ten seconds", async () => {
  const world = await World.create();
  const token = world.key.token({ iat: startSeconds - 7200 });

  world.connect(4, { token });
  world.connect(4, { token });

  assert.deepEqual(
    world.diary.lines.filter((line) => line.startsWith("refused")),
    ["refused token_expired authentic", "refused token_expired"],
  );
});

test("a Client Identifier that is no device path is refused as such", async () => {
  const world = await World.create();

  const old = world.connect(4, { clientIdentifier: "fern" });
  const modern = world.connect(5, { clientIdentifier: "" });

  assert.equal(old.of("connack")[0]?.reasonCode, 0x02);
  assert.equal(modern.of("connack")[0]?.reasonCode, 0x85);
});

test("a registry with MQTT switched off refuses like any other refusal", async () => {
  const world = await World.create();
  await world.store.updateRegistry(registryRef, { mqttEnabled: false });

  const client = world.connect(4);

  assert.equal(client.of("connack")[0]?.reasonCode, 5);
  assert.equal(world.diary.lines.at(-1), "refused bridge_disabled");
});

test("a protocol level we do not speak gets return code 1", async () => {
  const world = await World.create();
  const connect = encodeConnect({
    type: "connect",
    protocolVersion: 4,
    cleanStart: true,
    keepAlive: 0,
    clientIdentifier: "x",
  });
  connect[8] = 3;
  const client = world.open();

  client.sendBytes(connect);

  assert.equal(client.of("connack")[0]?.reasonCode, 1);
  assert.equal(client.isClosed, true);
  assert.equal(world.diary.lines.at(-1), "refused protocol_version_unsupported");
});

test("a CONNECT with an Authentication Method that is not offered gets 0x8C [MQTT-4.12.0-1]", async () => {
  const world = await World.create();

  const client = world.connect(5, { properties: { authenticationMethod: "SCRAM-SHA-256" } });

  assert.equal(client.of("connack")[0]?.reasonCode, 0x8c);
  assert.equal(client.isClosed, true);
});

test("AUTH on a connection without Authentication Method is a protocol error [MQTT-4.12.0-7]", async () => {
  const world = await World.create();
  const client = world.connect(5);

  client.send({ type: "auth", reasonCode: 0x19, properties: { authenticationMethod: "mayfly-jwt" } });

  assert.equal(client.of("disconnect")[0]?.reasonCode, 0x82);
});

test("a Will is accepted and ignored, but for what 5.0 forbids to accept", async () => {
  const world = await World.create();
  const will = { topic: "/devices/fern/events", payload: new Uint8Array(1), qos: 1, retain: false } as const;

  const codes = [
    world.connect(4, { will: { ...will, qos: 2, retain: true } }),
    world.connect(5, { will }),
    world.connect(5, { will: { ...will, retain: true } }),
    world.connect(5, { will: { ...will, qos: 2 } }),
  ].map((client) => client.of("connack")[0]?.reasonCode);
  await world.time.advance(10);

  assert.deepEqual(codes, [0, 0, 0x9a, 0x9b]);
  assert.deepEqual(world.backbone.waiting, []);
});

test("whoever sends no whole CONNECT within ten seconds is closed", async () => {
  const world = await World.create();
  const silent = world.open();
  const slow = world.open();
  slow.sendBytes(Uint8Array.of(0x10, 0x40, 0x00));

  await world.time.advance(9_999);
  const before = [silent.isClosed, slow.isClosed];
  await world.time.advance(1);

  assert.deepEqual(before, [false, false]);
  assert.deepEqual([silent.isClosed, slow.isClosed], [true, true]);
});

test("of a peer that is not admitted at most 16 KiB are kept", async () => {
  const world = await World.create();
  const client = world.open();
  // A CONNECT that promises 256 KiB.
  client.sendBytes(Uint8Array.of(0x10, 0x80, 0x80, 0x10));

  client.sendBytes(new Uint8Array(connectBytesMax - 4));
  const before = client.isClosed;
  client.sendBytes(new Uint8Array(1));

  assert.deepEqual([before, client.isClosed], [false, true]);
  assert.equal(world.diary.lines.at(-1), "refused packet_too_large");
});

test("a first packet that is no CONNECT, and a second CONNECT, end the connection", async () => {
  const world = await World.create();
  const first = world.open();
  first.sendBytes(Uint8Array.of(0xc0, 0x00));
  const second = world.connect(5);

  second.send({ type: "connect", protocolVersion: 5, cleanStart: true, keepAlive: 0, clientIdentifier: "x" });

  assert.deepEqual([first.isClosed, first.packets], [true, []]);
  assert.equal(second.of("disconnect")[0]?.reasonCode, 0x82);
});

test("packets sent behind the CONNECT without waiting are served once the registry answered", async () => {
  const answers: (() => void)[] = [];
  const world = await World.create({
    wrap: (store) => {
      const lookUpAdmission = store.lookUpAdmission.bind(store);
      store.lookUpAdmission = (ref, answer) =>
        lookUpAdmission(ref, (r) => void answers.push(() => answer(r)));
      return store;
    },
  });
  const client = world.connect();
  client.subscribe("/devices/fern/config", 0);
  client.publish(1);

  answers[0]?.();
  await world.time.advance(0);
  world.backbone.answer(0);
  await world.time.advance(0);

  assert.deepEqual(
    client.packets.map(({ type }) => type),
    ["connack", "suback", "publish", "puback"],
  );
});

test("an answer of the registry for a peer that has gone admits nobody", async () => {
  const answers: (() => void)[] = [];
  const world = await World.create({
    wrap: (store) => {
      const lookUpAdmission = store.lookUpAdmission.bind(store);
      store.lookUpAdmission = (ref, answer) =>
        lookUpAdmission(ref, (r) => void answers.push(() => answer(r)));
      return store;
    },
  });
  const client = world.connect();
  client.lose();

  answers[0]?.();

  assert.equal(world.bridge.counts().sessions, 0);
  assert.equal(world.bridge.counts().connections, 0);
});

test("a strict registry wants a subject from our own agents only", async () => {
  const world = await World.create();

  const ours = world.connect(4, { userName: "mayfly/1" });
  const theirs = world.connect(4, { userName: "mayfly/10" });

  assert.equal(ours.of("connack")[0]?.reasonCode, 5);
  assert.equal(theirs.of("connack")[0]?.reasonCode, 0);
  assert.ok(world.diary.lines.includes("refused token_subject_missing"));
});

for (const [version, code] of [
  [4, 0x03],
  [5, 0x88],
] as const) {
  test(`a registry that cannot be read is told as Server unavailable to MQTT version ${version}, not as a verdict`, async () => {
    const world = await World.create({
      wrap: (store) => {
        store.lookUpAdmission = (_, answer) => answer("unavailable");
        return store;
      },
    });

    const client = world.connect(version);

    const [connack] = client.of("connack");
    const told = version === 5 ? [["retry-after", "10"]] : undefined;
    assert.deepEqual([connack?.reasonCode, client.isClosed], [code, true]);
    assert.deepEqual(connack?.properties?.userProperties, told);
    assert.deepEqual(world.diary.lines, ["refused registry_unavailable"]);
  });
}
