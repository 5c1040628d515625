/**
 * What an MQTT 5 client asks of the bridge in CONNECT (5.0 §3.1.2.11), and that the bridge keeps to it: Maximum Packet
 * Size over every packet we send, Receive Maximum, Topic Alias Maximum, Request Problem Information.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Properties } from "@mayfly/core/mqtt";
import { encodeServerPacket } from "@mayfly/core/mqtt-server";
import { DeviceKey, fernPath, startSeconds, type TestClient, World } from "../../test/bridge-world.ts";

const options = { qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;

function subscribeTo(client: TestClient, count: number): void {
  client.send({
    type: "subscribe",
    packetIdentifier: 1,
    subscriptions: Array.from({ length: count }, () => ({
      topicFilter: "/devices/fern/commands/#",
      ...options,
    })),
  });
}

function unsubscribeFrom(client: TestClient, count: number): void {
  client.send({
    type: "unsubscribe",
    packetIdentifier: 2,
    topicFilters: Array.from({ length: count }, (_, index) => `filter ${index}`),
  });
}

function longestOf(client: TestClient): number {
  return Math.max(...client.packets.map((packet) => encodeServerPacket(packet, 5).length));
}

test("no packet is above the client's Maximum Packet Size, whatever it is and whatever happens [MQTT-3.1.2-24]", async () => {
  // From no room for any answer to room for all.
  for (let maximumPacketSize = 1; maximumPacketSize <= 160; maximumPacketSize += 1) {
    const world = await World.create();
    const token = world.key.token({ exp: startSeconds + 100, sub: fernPath });
    const client = world.connectByMethod({ token, properties: { maximumPacketSize } });
    client.subscribe("/devices/fern/config");
    client.authenticate(token);
    client.publish(1);
    client.send({ type: "pingreq" });
    world.backbone.answer(0);
    await world.time.advance(0);
    unsubscribeFrom(client, 60);
    await world.time.advance(100_000);
    const refused = world.connect(5, {
      token: world.key.token({ iat: startSeconds - 7_200 }),
      properties: { maximumPacketSize },
    });
    const malformedPath = world.connect(5, { clientIdentifier: "x", properties: { maximumPacketSize } });

    for (const each of [client, refused, malformedPath]) {
      assert.ok(longestOf(each) <= maximumPacketSize, `${longestOf(each)} above ${maximumPacketSize}`);
      assert.equal(each.isClosed, true);
    }
  }
});

test("a client that has no room for our CONNACK is told 0x83, with what fits in five bytes", async () => {
  const world = await World.create();

  const tooSmall = world.connect(5, { properties: { maximumPacketSize: 5 } });
  const smaller = world.connect(5, { properties: { maximumPacketSize: 4 } });

  assert.deepEqual(tooSmall.packets, [{ type: "connack", sessionPresent: false, reasonCode: 0x83 }]);
  assert.deepEqual(smaller.packets, []);
  assert.deepEqual([tooSmall.isClosed, smaller.isClosed], [true, true]);
  assert.equal(world.diary.lines.at(-1), "refused client_packets_too_small");
  assert.equal(world.bridge.counts().sessions, 0);
});

test("User Properties are left out of a CONNACK that would be too large, the limits never [MQTT-3.2.2-20]", async () => {
  const world = await World.create();
  const whole = world.connect(5);
  const wholeBytes = longestOf(whole);

  const exact = world.connect(5, { properties: { maximumPacketSize: wholeBytes } });
  const less = world.connect(5, { properties: { maximumPacketSize: wholeBytes - 1 } });

  const { userProperties, ...limits } = whole.of("connack")[0]?.properties ?? {};
  assert.equal(userProperties?.length, 4);
  assert.deepEqual(exact.of("connack")[0]?.properties, { ...limits, userProperties });
  assert.deepEqual(less.of("connack")[0]?.properties, limits);
});

test("Reason String and User Properties are left out of a refusal or a DISCONNECT that would be too large [MQTT-3.2.2-19, MQTT-3.14.2-3, MQTT-3.14.2-4]", async () => {
  const answers = async (properties: Properties) => {
    const world = await World.create();
    const refused = world.connect(5, { token: world.key.token({ iat: startSeconds - 7_200 }), properties });
    const cut = world.connect(5, { token: world.key.token({ exp: startSeconds + 100 }), properties });
    await world.time.advance(100_000);
    return [refused.of("connack")[0], cut.of("disconnect")[0]];
  };

  const [refused, cut] = await answers({});
  const small = await answers({ maximumPacketSize: 45 });

  const told = { reasonString: "token_expired" };
  assert.deepEqual(refused, {
    type: "connack",
    sessionPresent: false,
    reasonCode: 0x87,
    properties: { ...told, userProperties: [["server-time", `${startSeconds}.000`]] },
  });
  assert.deepEqual(cut, {
    type: "disconnect",
    reasonCode: 0x87,
    properties: { ...told, userProperties: [["server-time", `${startSeconds + 100}.000`]] },
  });
  assert.deepEqual(small, [
    { type: "connack", sessionPresent: false, reasonCode: 0x87 },
    { type: "disconnect", reasonCode: 0x87 },
  ]);
});

for (const isKept of [false, true]) {
  test(`a SUBACK or UNSUBACK above the client's Maximum Packet Size ends the connection with 0x95 (${isKept ? "kept" : "clean"} Session)`, async () => {
    const world = await World.create();
    const properties = { maximumPacketSize: 60, sessionExpiryInterval: isKept ? 600 : 0 };
    const connect = () => world.connect(5, { cleanStart: !isKept, properties });
    // Fixed header 2, Packet Identifier 2, property length 1.
    const subscriber = connect();
    subscribeTo(subscriber, 55);
    unsubscribeFrom(subscriber, 55);
    await world.time.advance(0);
    subscribeTo(subscriber, 56);
    await world.time.advance(0);
    const unsubscriber = connect();
    unsubscribeFrom(unsubscriber, 56);
    await world.time.advance(0);

    assert.deepEqual(
      [subscriber, unsubscriber].map((client) => client.packets.map(({ type }) => type)),
      [
        ["connack", "suback", "unsuback", "disconnect"],
        ["connack", "disconnect"],
      ],
    );
    assert.deepEqual(
      [subscriber, unsubscriber].map((client) => client.of("disconnect")[0]?.reasonCode),
      [0x95, 0x95],
    );
    assert.equal(world.diary.lines.at(-1), "disconnected fern answer_too_large");
  });
}

test("a kept command above the Maximum Packet Size of the connection is discarded, and the ones behind it go out [MQTT-3.1.2-25]", async () => {
  const world = await World.create();
  const connect = (properties: Properties) =>
    world.connect(5, { cleanStart: false, properties: { sessionExpiryInterval: 600, ...properties } });
  const first = connect({});
  first.subscribe("/devices/fern/commands/#");
  await world.time.advance(0);
  first.lose();
  const outcomes: string[] = [];
  const send = (text: string) =>
    world.bridge.sendCommand(world.device(), { payload: Buffer.from(text), subfolder: "" }, (outcome) =>
      outcomes.push(outcome),
    );
  send("x".repeat(200));
  send("short");
  await world.time.advance(0);

  const small = connect({ maximumPacketSize: 100 });
  await world.time.advance(0);
  send("y".repeat(200));
  await world.time.advance(0);
  small.lose();
  const large = connect({});
  await world.time.advance(0);

  assert.deepEqual(outcomes, ["queued", "queued", "too_large"]);
  assert.deepEqual(
    [small, large].map((client) =>
      client.of("publish").map(({ payload }) => Buffer.from(payload).toString()),
    ),
    [["short"], ["short"]],
  );
});

test("no Topic Alias is sent, however many the client would take [MQTT-3.1.2-26, MQTT-3.1.2-27]", async () => {
  for (const topicAliasMaximum of [0, 65_535]) {
    const world = await World.create();
    const client = world.connect(5, { properties: { topicAliasMaximum } });

    client.subscribe("/devices/fern/config");
    client.subscribe("/devices/fern/commands/#");
    for (const payload of [Buffer.from("a"), Buffer.from("b")]) {
      world.bridge.sendCommand(world.device(), { payload, subfolder: "" }, () => undefined);
    }
    await world.time.advance(0);

    const publishes = client.of("publish");
    assert.equal(publishes.length, 3);
    for (const publish of publishes) assert.notEqual(publish.topic, "");
    assert.deepEqual(
      publishes.map(({ properties }) => properties),
      [{ userProperties: [["config-version", "1"]] }, undefined, undefined],
    );
  }
});

test("with the client's Receive Maximum used up, all that is no PUBLISH is served [MQTT-3.3.4-9, MQTT-3.3.4-10]", async () => {
  const world = await World.create();
  const client = world.connect(5, { properties: { receiveMaximum: 1 } });
  client.subscribe("/devices/fern/config");
  client.subscribe("/devices/fern/commands/#");

  client.publish(1);
  world.backbone.answer(0);
  client.send({ type: "pingreq" });
  unsubscribeFrom(client, 1);
  await world.time.advance(0);

  assert.deepEqual(
    client.packets.map(({ type }) => type),
    ["connack", "suback", "publish", "suback", "puback", "pingresp", "unsuback"],
  );
});

test("a PUBACK gives its place back whatever its Reason Code; what it refused is told its sender and not sent again [MQTT-4.4.0-2]", async () => {
  const world = await World.create();
  const client = world.connect(5, { properties: { receiveMaximum: 1 } });
  client.subscribe("/devices/fern/commands/#");
  const outcomes: string[] = [];
  const send = () =>
    world.bridge.sendCommand(world.device(), { payload: Buffer.from("x"), subfolder: "" }, (outcome) =>
      outcomes.push(outcome),
    );
  const acknowledge = (packetIdentifier: number, reasonCode: number) =>
    client.send({ type: "puback", packetIdentifier, reasonCode });

  send();
  acknowledge(1, 0x97);
  send();
  acknowledge(2, 0x10); // Below 0x80: taken.
  await world.time.advance(60_000);

  assert.deepEqual(outcomes, ["refused_by_device", "delivered"]);
  assert.equal(client.of("publish").length, 2);
});

test("with Request Problem Information 0 only CONNACK and DISCONNECT carry a Reason String or User Properties [MQTT-3.1.2-29]", async () => {
  const world = await World.create();
  const client = world.connectByMethod({ properties: { requestProblemInformation: 0 } });

  client.subscribe("#");
  unsubscribeFrom(client, 1);
  client.publish(1);
  world.backbone.answer(0);
  client.authenticate(world.key.token({ sub: fernPath, exp: startSeconds + 7_200 }));
  await world.time.advance(5_000);
  client.authenticate(new DeviceKey("other").token({ sub: fernPath, iat: startSeconds + 5 }));
  await world.time.advance(0);

  const talkative = client.packets.filter(({ type, ...rest }) => {
    const properties: Properties = "properties" in rest ? (rest.properties ?? {}) : {};
    return properties.reasonString !== undefined || properties.userProperties !== undefined;
  });
  assert.deepEqual(
    client.packets.map(({ type }) => type),
    ["connack", "suback", "unsuback", "puback", "auth", "disconnect"],
  );
  assert.deepEqual(
    talkative.map(({ type }) => type),
    ["connack", "disconnect"],
  );
});

test("what the bridge tells a peer of a refused token never holds the token or a part of it", async () => {
  const world = await World.create();
  const tokens = [
    world.key.token({ iat: startSeconds - 7_200 }),
    world.key.token({ iat: startSeconds + 7_200 }),
    world.key.token({ aud: "elsewhere" }),
    new DeviceKey("stranger").token(),
    "unreadable-1.unreadable-2.unreadable-3",
  ];

  for (const token of tokens) {
    const atConnect = world.connect(5, { token });
    const later = world.connectByMethod();
    later.authenticate(token);
    await world.time.advance(11_000);
    const told = JSON.stringify([...atConnect.packets, ...later.packets]);

    assert.equal(later.isClosed, true);
    for (const part of token.split(".")) assert.ok(!told.includes(part), part);
  }
});
