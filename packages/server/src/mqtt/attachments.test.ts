import assert from "node:assert/strict";
import { test } from "node:test";
import { DeviceKey, publishOf, registryRef, startSeconds, World } from "../../test/bridge-world.ts";
import {
  answers,
  errorsOf,
  errorsOfShed,
  errorTypesOf,
  GatewayWorld,
  pubacks,
  withLookUp,
} from "../../test/gateway-world.ts";
import { attachBytesMax, attachedMax, attachTimeoutMillis, downlinkWindowMax } from "./limits.ts";

const events = "/devices/fern/events";

for (const version of [4, 5] as const) {
  test(`a PUBACK says that the device is attached, and its message goes under its name (MQTT ${version})`, async () => {
    const house = await GatewayWorld.create();
    const gateway = house.connect(version);

    house.attach(gateway, 1);
    gateway.publish(2, { topic: `${events}/air`, payload: "41" });
    await house.world.time.advance(0);

    const { message } = house.world.backbone.waiting[0] ?? assert.fail();
    assert.deepEqual(answers(gateway), [[1, 0]]);
    assert.deepEqual([message.deviceId, message.subfolder, message.gatewayId], ["fern", "air", "shed"]);
    house.world.backbone.answer(0);
    await house.world.time.advance(0);
    assert.deepEqual(answers(gateway), [
      [1, 0],
      [2, 0],
    ]);
  });
}

test("what is published right behind an attach waits until it is judged, and is neither lost nor refused", async () => {
  const late: (() => void)[] = [];
  const house = await GatewayWorld.create({
    wrap: withLookUp((lookUp) => (device, gateway, answer) => {
      late.push(() => lookUp(device, gateway, answer));
    }),
  });
  const gateway = house.listening();
  house.attach(gateway, 1);
  gateway.publish(2, { topic: events, payload: "first" });
  gateway.subscribe("/devices/fern/config", 1);
  const before = [pubacks(gateway), house.world.backbone.waiting.length, gateway.isPaused];

  late[0]?.();
  await house.world.time.advance(0);

  assert.deepEqual(before, [[], 0, true]);
  assert.deepEqual(
    [pubacks(gateway), house.world.backbone.waiting.length, gateway.isPaused],
    [[1], 1, false],
  );
  assert.deepEqual(gateway.of("suback").at(-1)?.reasonCodes, [1]);
  assert.deepEqual(errorsOf(gateway), []);
});

test("an attach that the registry does not answer is refused after 5 s, and reading goes on", async () => {
  const house = await GatewayWorld.create({
    wrap: withLookUp(() => () => undefined),
  });
  const gateway = house.listening(5);
  house.attach(gateway, 1);
  await house.world.time.advance(attachTimeoutMillis - 1);
  const before = answers(gateway);

  await house.world.time.advance(1);

  assert.deepEqual(before, []);
  assert.deepEqual(answers(gateway), [[1, 0x80]]);
  assert.deepEqual(errorTypesOf(gateway), ["GATEWAY_ATTACHMENT_ERROR"]);
  assert.equal(gateway.isPaused, false);
});

test("PUBACKs of attaches keep the order of arrival among messages", async () => {
  const house = await GatewayWorld.create();
  const gateway = house.connect();
  gateway.publish(1, { topic: "/devices/shed/events" });
  house.attach(gateway, 2);
  const before = pubacks(gateway);

  house.world.backbone.answer(0);
  await house.world.time.advance(0);

  assert.deepEqual(before, []);
  assert.deepEqual(pubacks(gateway), [1, 2]);
});

const methods = [
  ["ASSOCIATION_ONLY", "bound", "none", true],
  ["ASSOCIATION_ONLY", "unbound", "good", false],
  ["DEVICE_AUTH_TOKEN_ONLY", "unbound", "good", true],
  ["DEVICE_AUTH_TOKEN_ONLY", "bound", "none", false],
  ["ASSOCIATION_AND_DEVICE_AUTH_TOKEN", "bound", "good", true],
  ["ASSOCIATION_AND_DEVICE_AUTH_TOKEN", "bound", "none", false],
  ["ASSOCIATION_AND_DEVICE_AUTH_TOKEN", "unbound", "good", false],
  ["GATEWAY_AUTH_METHOD_UNSPECIFIED", "bound", "good", false],
] as const;

for (const [method, binding, token, isAttached] of methods) {
  const verb = isAttached ? "attaches" : "does not attach";
  test(`a gateway of ${method} ${verb} a device that is ${binding} and shows ${token} token`, async () => {
    const house = await GatewayWorld.create({ method });
    if (binding === "unbound") await house.world.store.unbindDevice(registryRef, "shed", "fern");
    const gateway = house.listening();

    house.attach(gateway, 1, { authorization: token === "none" ? "" : house.world.key.token() });
    await house.world.time.advance(0);

    assert.deepEqual(pubacks(gateway), isAttached ? [1] : []);
    assert.deepEqual(errorTypesOf(gateway), isAttached ? [] : ["GATEWAY_ATTACHMENT_ERROR"]);
    assert.equal(house.world.bridge.counts().attached, isAttached ? 1 : 0);
    assert.equal(gateway.isClosed, false);
  });
}

test("a registry that is strict attaches nobody by association alone, yet whoever shows a good token", async () => {
  const house = await GatewayWorld.create({
    method: "ASSOCIATION_ONLY",
    policy: { gatewayAssociationOnly: "refuse" },
  });
  const gateway = house.listening();

  house.attach(gateway, 1, { authorization: "" });
  house.attach(gateway, 2, { authorization: new DeviceKey("stranger").token() });
  const refused = errorTypesOf(gateway);
  house.attach(gateway, 3);
  await house.world.time.advance(0);

  assert.deepEqual(refused, ["GATEWAY_ATTACHMENT_ERROR", "GATEWAY_ATTACHMENT_ERROR"]);
  assert.ok(house.world.diary.lines.includes("attachRefused fern association_alone_refused"));
  assert.deepEqual(pubacks(gateway), [3]);
});

test("an attach that failed: no PUBACK in 3.1.1, 0x87 in 5.0, an error on both, and the gateway goes on", async () => {
  for (const version of [4, 5] as const) {
    const house = await GatewayWorld.create();
    const gateway = house.listening(version);

    house.attach(gateway, 7, { authorization: new DeviceKey("stranger").token() });
    gateway.publish(8, { topic: "/devices/shed/events" });
    house.world.backbone.answer(0);
    await house.world.time.advance(0);

    assert.deepEqual(
      answers(gateway),
      version === 4
        ? [[8, 0]]
        : [
            [7, 0x87],
            [8, 0],
          ],
    );
    assert.deepEqual(errorsOf(gateway), [
      {
        error_type: "GATEWAY_ATTACHMENT_ERROR",
        description: "The device is not authorized to attach.",
        device_id: "fern",
        mqtt_message_info: { message_type: "PUBLISH", topic: "/devices/fern/attach", packet_id: 7 },
      },
    ]);
  }
});

test("to a gateway an unknown, an unbound and a blocked device and a wrong key look alike", async () => {
  const house = await GatewayWorld.create();
  const { world } = house;
  await world.createDevice("loose", [new DeviceKey("of loose").record]);
  await world.createDevice("jailed", [new DeviceKey("of jailed").record]);
  await world.store.bindDevice(registryRef, "shed", "jailed");
  await world.store.updateDevice(world.device("jailed"), { blocked: true });
  const gateway = house.listening(5);

  ["ghost", "loose", "jailed", "fern"].forEach((device, index) => {
    house.attach(gateway, index + 1, { device, authorization: new DeviceKey("stranger").token() });
  });
  await world.time.advance(0);

  const said = errorsOf(gateway).map(({ error_type, description }) => `${error_type} ${description}`);
  assert.equal(said.length, 4);
  assert.equal(new Set(said).size, 1);
  assert.deepEqual(new Set(answers(gateway).map(([, code]) => code)), new Set([0x87]));
});

test("what an attach without a good token says does not tell which devices there are", async () => {
  const house = await GatewayWorld.create({ method: "DEVICE_AUTH_TOKEN_ONLY" });
  const gateway = house.listening(5);
  const expired = new DeviceKey("stranger").token({ iat: startSeconds - 7200 });

  for (const authorization of ["", expired]) {
    for (const device of ["fern", "ghost"]) house.attach(gateway, 1, { device, authorization });
  }
  await house.world.time.advance(0);

  const said = errorsOf(gateway).map(({ description }) => description);
  assert.equal(said.length, 4);
  assert.equal(said[0], said[1]);
  assert.equal(said[2], said[3]);
});

test("a device's expired token is named, so that a gateway knows whose clock is wrong", async () => {
  const house = await GatewayWorld.create();
  const gateway = house.listening();

  house.attach(gateway, 1, { authorization: house.world.key.token({ iat: startSeconds - 7200 }) });
  await house.world.time.advance(0);

  assert.match(String(errorsOf(gateway)[0]?.["description"]), /token_expired/);
});

const malformed = [
  ["no JSON", "fern"],
  ["an array", "[]"],
  ["null", "null"],
  ["an authorization that is no text", '{"authorization": 7}'],
  ["bytes that are no UTF-8", Buffer.from([0x7b, 0xff])],
  ["more than 10 KiB", `{"authorization": "${"a".repeat(attachBytesMax)}"}`],
] as const;

for (const [what, payload] of malformed) {
  test(`an attach with ${what} is refused, and counts as an error, not as the gateway's end`, async () => {
    const house = await GatewayWorld.create();
    const gateway = house.listening(5);

    gateway.send({
      ...publishOf(3, { topic: "/devices/fern/attach" }),
      payload: typeof payload === "string" ? Buffer.from(payload) : payload,
    });
    await house.world.time.advance(0);

    assert.deepEqual(answers(gateway), [[3, 0x99]]);
    assert.deepEqual(errorTypesOf(gateway), ["GATEWAY_ATTACHMENT_ERROR"]);
    assert.equal(gateway.isClosed, false);
  });
}

for (const payload of ["", "{}", '{"authorization": ""}', ' {"authorization":"", "more": 1} ']) {
  test(`${JSON.stringify(payload)} shows no token`, async () => {
    const house = await GatewayWorld.create({ method: "ASSOCIATION_ONLY" });
    const gateway = house.connect();

    gateway.send(publishOf(1, { topic: "/devices/fern/attach", payload }));
    await house.world.time.advance(0);

    assert.deepEqual(pubacks(gateway), [1]);
  });
}

test("a device is attached by its numId too, and its config comes on that name", async () => {
  const house = await GatewayWorld.create();
  const numId = (await house.world.store.findDevice(house.world.device()))?.numId ?? "";
  const gateway = house.connect();

  house.attach(gateway, 1, { device: numId });
  gateway.subscribe(`/devices/${numId}/config`, 1);
  await house.world.time.advance(0);

  assert.deepEqual(pubacks(gateway), [1]);
  assert.deepEqual(
    gateway.of("publish").map(({ topic }) => topic),
    [`/devices/${numId}/config`],
  );
});

test("a message for a device that is not attached: told and then answered, so that it is neither silent nor sent for ever", async () => {
  for (const version of [4, 5] as const) {
    const house = await GatewayWorld.create();
    const gateway = house.listening(version);

    gateway.publish(5, { topic: `${events}/air` });
    await house.world.time.advance(0);

    const order = gateway.packets.slice(-2).map(({ type }) => type);
    assert.deepEqual(order, ["publish", "puback"]);
    assert.deepEqual(answers(gateway), [[5, version === 4 ? 0 : 0x87]]);
    assert.deepEqual(errorsOf(gateway), [
      {
        error_type: "GATEWAY_DEVICE_NOT_FOUND",
        description: "The specified device with ID 'fern' is not attached to the gateway.",
        device_id: "fern",
        mqtt_message_info: { message_type: "PUBLISH", topic: `${events}/air`, packet_id: 5 },
      },
    ]);
    assert.equal(house.world.backbone.waiting.length, 0);
  }
});

test("a 3.1.1 gateway that does not hear its errors gets no PUBACK for what was not stored", async () => {
  const house = await GatewayWorld.create();
  const gateway = house.connect();

  gateway.publish(5, { topic: events });
  gateway.publish(6, { topic: "/devices/shed/events" });
  house.world.backbone.answer(0);
  await house.world.time.advance(0);

  assert.deepEqual(pubacks(gateway), [6]);
  assert.ok(house.world.diary.lines.includes("gatewayError GATEWAY_DEVICE_NOT_FOUND dropped"));
});

test("a detached device is not attached; detaching one that is not is done already", async () => {
  const house = await GatewayWorld.create();
  const gateway = house.listening(5);
  house.attach(gateway, 1);

  gateway.send(publishOf(2, { topic: "/devices/fern/detach", payload: "{}" }));
  gateway.send(publishOf(3, { topic: "/devices/fern/detach", payload: "{}" }));
  gateway.publish(4, { topic: events });
  await house.world.time.advance(0);

  assert.deepEqual(answers(gateway), [
    [1, 0],
    [2, 0],
    [3, 0],
    [4, 0x87],
  ]);
  assert.ok(house.world.diary.lines.includes("detached fern asked"));
});

test("a topic that does not exist costs the device its attachment and the gateway nothing", async () => {
  const house = await GatewayWorld.create();
  const gateway = house.listening();
  house.attach(gateway, 1);

  gateway.publish(2, { topic: "/devices/fern/telemetry" });
  await house.world.time.advance(0);

  assert.deepEqual(errorTypesOf(gateway), ["GATEWAY_INVALID_MQTT_TOPIC", "GATEWAY_DETACHMENT_DEVICE_ERROR"]);
  assert.deepEqual(pubacks(gateway), [1, 2]);
  assert.equal(gateway.isClosed, false);
});

test("a state above 64 KiB costs the device its attachment and the gateway nothing", async () => {
  const house = await GatewayWorld.create();
  const gateway = house.listening(5);
  house.attach(gateway, 1);

  gateway.publish(2, { topic: "/devices/fern/state", payload: "x".repeat(64 * 1024 + 1) });
  await house.world.time.advance(0);

  assert.deepEqual(errorTypesOf(gateway), ["UNKNOWN", "GATEWAY_DETACHMENT_DEVICE_ERROR"]);
  assert.deepEqual(answers(gateway), [
    [1, 0],
    [2, 0x97],
  ]);
  assert.equal(gateway.isClosed, false);
});

test("an attached device over its rate is told and detached; the gateway and its other devices go on", async () => {
  const house = await GatewayWorld.create({ policy: { messagesPerSecond: 5, statesPerSecond: 1 } });
  const { world } = house;
  const otherKey = new DeviceKey("of moss");
  await world.createDevice("moss", [otherKey.record]);
  await world.store.bindDevice(registryRef, "shed", "moss");
  const gateway = house.listening(5);
  house.attach(gateway, 1);
  house.attach(gateway, 2, { device: "moss", authorization: otherKey.token() });

  for (let id = 3; id < 9; id++) gateway.publish(id, { topic: events });
  gateway.publish(10, { topic: "/devices/moss/events" });
  for (let id = 11; id < 14; id++) gateway.publish(id, { topic: "/devices/moss/state" });
  gateway.publish(15, { topic: "/devices/shed/events" });
  while (world.backbone.waiting.length > 0) world.backbone.answer(0);
  await world.time.advance(0);

  const refused = answers(gateway).filter(([, code]) => code !== 0);
  assert.deepEqual(refused, [
    [8, 0x97],
    [13, 0x97],
  ]);
  assert.deepEqual(errorTypesOf(gateway), [
    ...["UNKNOWN", "GATEWAY_DETACHMENT_DEVICE_ERROR"],
    ...["UNKNOWN", "GATEWAY_DETACHMENT_DEVICE_ERROR"],
  ]);
  assert.equal(gateway.isClosed, false);
});

test("a device that is no gateway ends its connection by an attach", async () => {
  const house = await GatewayWorld.create();
  const client = house.world.connect(5);

  client.send(publishOf(1, { topic: "/devices/other/attach" }));

  assert.deepEqual(client.of("disconnect")[0]?.reasonCode, 0x87);
});

test("config comes at the subscription and at each change; its PUBACK is the device's acknowledgement", async () => {
  const house = await GatewayWorld.create();
  const { world } = house;
  const gateway = house.connect();
  house.attach(gateway, 1);
  gateway.subscribe("/devices/fern/config", 1);
  await world.time.advance(0);
  const first = gateway.of("publish")[0] ?? assert.fail();

  gateway.send({ type: "puback", packetIdentifier: first.packetIdentifier ?? 0, reasonCode: 0 });
  await world.store.modifyConfig(world.device(), Buffer.from("2"), 0);
  await world.time.advance(0);

  const configs = gateway.of("publish").map(({ topic, payload }) => [topic, Buffer.from(payload).toString()]);
  assert.deepEqual(configs, [
    ["/devices/fern/config", ""],
    ["/devices/fern/config", "2"],
  ]);
  const versions = await world.store.listConfigVersions(world.device(), 10);
  assert.notEqual(versions.find(({ version }) => version === 1)?.deviceAckMs, undefined);
});

test("a command goes through the gateway of its device, at the QoS subscribed, and is delivered at its PUBACK", async () => {
  const house = await GatewayWorld.create();
  const gateway = house.connect();
  const outcomes: string[] = [];
  const command = { payload: Buffer.from("open"), subfolder: "roof" };
  house.attach(gateway, 1);
  house.world.bridge.sendCommand(house.world.device(), command, (outcome) => outcomes.push(outcome));
  gateway.subscribe("/devices/fern/commands/#", 1);
  house.world.bridge.sendCommand(house.world.device(), command, (outcome) => outcomes.push(outcome));
  await house.world.time.advance(0);
  const sent = gateway.of("publish")[0] ?? assert.fail();
  const before = [...outcomes];

  gateway.send({ type: "puback", packetIdentifier: sent.packetIdentifier ?? 0, reasonCode: 0 });

  assert.deepEqual(before, ["not_subscribed"]);
  assert.deepEqual([sent.topic, sent.qos], ["/devices/fern/commands/roof", 1]);
  assert.deepEqual(outcomes, ["not_subscribed", "delivered"]);
});

test("all that goes to a gateway's devices shares one window and one space of Packet Identifiers", async () => {
  const house = await GatewayWorld.create({ method: "ASSOCIATION_ONLY" });
  const { world } = house;
  const gateway = house.connect();
  const names = ["shed", ...Array.from({ length: downlinkWindowMax + 2 }, (_, i) => `leaf-${i}`)];
  for (const [index, name] of names.entries()) {
    if (name !== "shed") {
      await world.createDevice(name, []);
      await world.store.bindDevice(registryRef, "shed", name);
      house.attach(gateway, index, { device: name, authorization: "" });
    }
    gateway.subscribe(`/devices/${name}/config`, 1);
  }
  await world.time.advance(0);
  const first = gateway.of("publish").map(({ packetIdentifier }) => packetIdentifier ?? 0);

  for (const packetIdentifier of first) gateway.send({ type: "puback", packetIdentifier, reasonCode: 0 });
  await world.time.advance(0);

  assert.equal(first.length, downlinkWindowMax);
  assert.equal(new Set(first).size, downlinkWindowMax);
  const topics = gateway.of("publish").map(({ topic }) => topic);
  assert.deepEqual(new Set(topics), new Set(names.map((name) => `/devices/${name}/config`)));
  assert.equal(topics.length, names.length);
});

test("a SUBSCRIBE for a device that is not attached is refused in the SUBACK and told, no more", async () => {
  const house = await GatewayWorld.create();
  const gateway = house.listening(5);

  gateway.subscribe("/devices/fern/config", 1);

  assert.deepEqual(gateway.of("suback").at(-1)?.reasonCodes, [0x87]);
  assert.deepEqual(errorTypesOf(gateway), ["GATEWAY_DEVICE_NOT_FOUND"]);
  assert.equal(gateway.isClosed, false);
});

test("errors are granted QoS 0 whatever is asked for, and to nobody but the gateway itself", async () => {
  const house = await GatewayWorld.create();
  const gateway = house.connect();
  gateway.subscribe(errorsOfShed, 1);
  const device = house.world.connect();
  device.subscribe("/devices/fern/errors", 0);

  assert.deepEqual(gateway.of("suback")[0]?.reasonCodes, [0]);
  assert.deepEqual(device.of("suback")[0]?.reasonCodes, [0x80]);
});

test("an unsubscribed errors topic is silent", async () => {
  const house = await GatewayWorld.create();
  const gateway = house.listening();
  gateway.send({ type: "unsubscribe", packetIdentifier: 9, topicFilters: [errorsOfShed] });

  gateway.publish(0, { topic: events });

  assert.deepEqual(errorsOf(gateway), []);
});

test("1,000 devices are attached at once and the next is refused; one that is attached may renew", async () => {
  const house = await GatewayWorld.create({ method: "ASSOCIATION_ONLY" });
  const { world } = house;
  const gateway = house.listening(5);
  for (let i = 0; i < attachedMax; i++) {
    await world.createDevice(`leaf-${i}`, []);
    await world.store.bindDevice(registryRef, "shed", `leaf-${i}`);
    house.attach(gateway, 1, { device: `leaf-${i}`, authorization: "" });
  }
  const full = world.bridge.counts().attached;
  await world.time.advance(1_000);

  house.attach(gateway, 2, { device: "fern", authorization: "" });
  house.attach(gateway, 3, { device: "leaf-0", authorization: "" });
  await world.time.advance(0);

  assert.equal(full, attachedMax);
  assert.deepEqual(answers(gateway).slice(-2), [
    [2, 0x97],
    [3, 0],
  ]);
  assert.equal(world.bridge.counts().attached, attachedMax);
});

test("the end of the gateway's connection detaches everything, and nothing is left behind", async () => {
  const house = await GatewayWorld.create();
  const gateway = house.connect();
  house.attach(gateway, 1);
  gateway.subscribe("/devices/fern/config", 1);

  gateway.lose();
  await house.world.time.advance(2_000);

  const { attached, deadlines, connections, downlinkInFlight } = house.world.bridge.counts();
  assert.deepEqual([attached, deadlines, connections, downlinkInFlight], [0, 0, 0, 0]);
  assert.ok(house.world.diary.lines.includes("detached fern connection_ended"));
});

test("the registry learns which gateway spoke for a device, when, and what it sent", async () => {
  const house = await GatewayWorld.create();
  const { world } = house;
  world.backbone.auto = { kind: "durable", messageId: "1" };
  const gateway = house.connect();
  house.attach(gateway, 1);
  gateway.publish(2, { topic: events });
  await world.time.advance(3_000);

  const activity = (await world.store.findDevice(world.device()))?.activity;

  assert.equal(activity?.gatewayId, "shed");
  assert.ok(activity?.gatewayMs !== undefined && activity.eventMs !== undefined);
  assert.equal(activity.keyId, "first");
});

test("a connection that is no gateway's has no part in attachments", async () => {
  const world = await World.create();
  const client = world.connect();

  client.subscribe("/devices/fern/config");

  assert.equal(world.bridge.counts().attached, 0);
  assert.equal(client.of("suback").length, 1);
});

test("an attach at QoS 0 attaches, and has no answer", async () => {
  const house = await GatewayWorld.create();
  const gateway = house.connect();
  const payload = JSON.stringify({ authorization: house.world.key.token() });

  gateway.publish(0, { topic: "/devices/fern/attach", payload });
  await house.world.time.advance(0);

  assert.equal(house.world.bridge.counts().attached, 1);
  assert.deepEqual(answers(gateway), []);
});

test("QoS 2, and RETAIN in 5.0, for an attached device close the gateway's connection", async () => {
  for (const [flags, code] of [
    [{ qos: 2 }, 0x9b],
    [{ retain: true }, 0x9a],
  ] as const) {
    const house = await GatewayWorld.create();
    const gateway = house.connect(5);
    house.attach(gateway, 1);

    gateway.send({ ...publishOf(2, { topic: events }), ...flags } as never);

    assert.equal(gateway.of("disconnect")[0]?.reasonCode, code);
    assert.equal(gateway.isClosed, true);
    assert.deepEqual(house.world.backbone.waiting, []);
  }
});

test("an unexpected Packet Identifier or message type brings a gateway no error of its own", async () => {
  const house = await GatewayWorld.create();
  const gateway = house.listening();
  house.attach(gateway, 1);

  gateway.send({ type: "puback", packetIdentifier: 77, reasonCode: 0 });
  const isClosedByPuback = gateway.isClosed;
  gateway.send({ type: "pubrel", packetIdentifier: 78, reasonCode: 0 });

  assert.deepEqual([isClosedByPuback, gateway.isClosed], [false, true]);
  assert.deepEqual(errorsOf(gateway), []);
});

test("events of QoS 0 of an attached device above its rate are dropped, and it stays attached", async () => {
  const house = await GatewayWorld.create({ policy: { messagesPerSecond: 2 } });
  const gateway = house.listening();
  house.attach(gateway, 1);

  for (let i = 0; i < 5; i++) gateway.publish(0, { topic: events });

  assert.equal(house.world.backbone.waiting.length, 2);
  assert.deepEqual(errorsOf(gateway), []);
  assert.equal(house.world.bridge.counts().attached, 1);
});
