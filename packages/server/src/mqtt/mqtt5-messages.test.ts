/**
 * What an MQTT 5 client may put into its packets without effect, and the little that has one: properties of a message,
 * User Properties elsewhere, Subscription Options, Reason Codes of a DISCONNECT.
 *
 * No device's PUBLISH is forwarded to an MQTT client (events go to applications, state to the registry), so the rules
 * on forwarding properties (5.0 §3.3.2.3) have nothing to bind here. They are taken and let go: a property that nobody
 * will see is no reason to lose the message that bears it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Properties } from "@mayfly/core/mqtt";
import { fernPath, publishOf, World } from "../../test/bridge-world.ts";

test("properties of a message change nothing of it: payload, topic and PUBACK are those of one without (§3.3.2.3)", async () => {
  const world = await World.create();
  const client = world.connect(5);
  const properties: Properties = {
    payloadFormatIndicator: 1,
    messageExpiryInterval: 1,
    contentType: "text/plain",
    responseTopic: "/devices/fern/commands",
    correlationData: Uint8Array.of(1, 2, 3),
    userProperties: [
      ["colour", "green"],
      ["colour", "blue"],
    ],
  };

  client.send({ ...publishOf(1, { payload: "21.5" }), properties });
  client.publish(2, { payload: "21.5" });
  await world.time.advance(5_000); // Far beyond its Message Expiry Interval.
  const stored = world.backbone.waiting.map(({ message }) => message);
  world.backbone.answer(0);
  world.backbone.answer(0);
  await world.time.advance(0);

  const [bearing, plain] = stored;
  assert.deepEqual(bearing, plain);
  assert.deepEqual(client.of("puback"), [
    { type: "puback", packetIdentifier: 1, reasonCode: 0 },
    { type: "puback", packetIdentifier: 2, reasonCode: 0 },
  ]);
});

test("Payload Format Indicator 1 is not checked: a payload that is no UTF-8 is stored byte for byte (§3.3.2.3.2)", async () => {
  const world = await World.create();
  const client = world.connect(5);
  const payload = Uint8Array.of(0xc3, 0x28, 0xff);

  client.send({ ...publishOf(1), payload, properties: { payloadFormatIndicator: 1 } });
  const stored = world.backbone.waiting[0]?.message.payload;
  world.backbone.answer(0);
  await world.time.advance(0);

  assert.deepEqual(stored, payload);
  assert.equal(client.of("puback")[0]?.reasonCode, 0);
});

test("of User Properties the first `id` alone is taken, as the device's own message id", async () => {
  const world = await World.create();
  const client = world.connect(5);

  client.send({
    ...publishOf(1),
    properties: {
      userProperties: [
        ["ID", "other case"],
        ["id", "m-1"],
        ["id", "m-2"],
      ],
    },
  });

  assert.equal(world.backbone.waiting[0]?.message.deviceMessageId, "m-1");
});

test("User Properties of CONNECT, SUBSCRIBE, UNSUBSCRIBE, PUBACK and DISCONNECT, and a client's Reason Strings, are let be", async () => {
  const world = await World.create();
  const said = { userProperties: [["fleet", "north"]] } as const;
  const client = world.connect(5, { properties: said });
  const options = { qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
  const topicFilter = "/devices/fern/config";

  client.send({
    ...{ type: "subscribe", packetIdentifier: 1, properties: said },
    subscriptions: [{ topicFilter, ...options }],
  });
  await world.time.advance(0);
  client.send(
    {
      ...{ type: "puback", packetIdentifier: 1, reasonCode: 0x10 },
      properties: { ...said, reasonString: "nobody here reads it" },
    },
    { type: "unsubscribe", packetIdentifier: 2, topicFilters: [topicFilter], properties: said },
    {
      type: "disconnect",
      reasonCode: 0,
      properties: { ...said, reasonString: "good night", serverReference: "elsewhere" },
    },
  );

  assert.deepEqual(
    client.packets.map(({ type }) => type),
    ["connack", "suback", "publish", "unsuback"],
  );
  assert.equal(world.diary.lines.at(-1), "disconnected fern client_disconnected");
});

test("a Will with every property it may have, and an AUTH with a Reason String and User Properties, are taken", async () => {
  const world = await World.create();
  const token = world.key.token({ sub: fernPath });
  const said = { userProperties: [["fleet", "north"]] } as const;
  const properties: Properties = {
    ...said,
    willDelayInterval: 1,
    payloadFormatIndicator: 1,
    messageExpiryInterval: 1,
    contentType: "text/plain",
    responseTopic: "r",
    correlationData: Uint8Array.of(1),
  };
  const will = {
    topic: "/devices/fern/events",
    payload: Uint8Array.of(0xff),
    qos: 1,
    retain: false,
  } as const;
  const client = world.connectByMethod({ token, will: { ...will, properties } });

  client.send({
    type: "auth",
    reasonCode: 0x19,
    properties: {
      ...said,
      authenticationMethod: "mayfly-jwt",
      authenticationData: Buffer.from(token),
      reasonString: "because I can",
    },
  });
  await world.time.advance(0);
  client.lose();
  await world.time.advance(5_000);

  assert.deepEqual(
    client.packets.map((packet) => [packet.type, "reasonCode" in packet && packet.reasonCode]),
    [
      ["connack", 0],
      ["auth", 0],
    ],
  );
  assert.deepEqual(world.backbone.waiting, []);
});

test("Subscription Options change nothing: the config comes at each SUBSCRIBE with RETAIN 0 (§3.8.3.1)", async () => {
  for (const noLocal of [false, true]) {
    for (const retainAsPublished of [false, true]) {
      for (const retainHandling of [0, 1, 2] as const) {
        const world = await World.create();
        const client = world.connect(5);
        const subscription = {
          topicFilter: "/devices/fern/config",
          qos: 0 as const,
          noLocal,
          retainAsPublished,
          retainHandling,
        };

        client.send({ type: "subscribe", packetIdentifier: 1, subscriptions: [subscription] });
        client.send({ type: "subscribe", packetIdentifier: 2, subscriptions: [subscription] });

        assert.deepEqual(
          client.of("publish").map(({ retain, dup, qos }) => ({ retain, dup, qos })),
          [
            { retain: false, dup: false, qos: 0 },
            { retain: false, dup: false, qos: 0 },
          ],
        );
      }
    }
  }
});

test("a SUBSCRIBE of the same filter replaces the subscription and its QoS [MQTT-3.8.4-3, MQTT-3.8.4-8]", async () => {
  const world = await World.create();
  const client = world.connect(5);
  const send = () =>
    world.bridge.sendCommand(world.device(), { payload: Buffer.from("x"), subfolder: "" }, () => undefined);

  client.subscribe("/devices/fern/commands/#", 1);
  send();
  client.subscribe("/devices/fern/commands/#", 0);
  send();
  await world.time.advance(0);

  assert.deepEqual(
    client.of("publish").map(({ qos }) => qos),
    [1, 0],
  );
  assert.deepEqual(world.bridge.findSession(world.device())?.subscriptions, ["commands"]);
});

test("SUBACK and UNSUBACK have one Reason Code for each filter, in order, under the Packet Identifier that asked [MQTT-3.9.3-1, MQTT-3.11.3-1]", async () => {
  const world = await World.create();
  const client = world.connect(5);
  const filters = ["/devices/fern/errors", "/devices/fern/config", "#", "/devices/fern/commands/#"];
  const options = { noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;

  client.send({
    type: "subscribe",
    packetIdentifier: 258,
    subscriptions: filters.map((topicFilter, index) => ({
      topicFilter,
      qos: index === 1 ? 0 : 1,
      ...options,
    })),
  });
  client.send({ type: "unsubscribe", packetIdentifier: 772, topicFilters: filters });

  assert.deepEqual(client.of("suback"), [
    { type: "suback", packetIdentifier: 258, reasonCodes: [0x8f, 0, 0xa2, 1] },
  ]);
  assert.deepEqual(client.of("unsuback"), [
    { type: "unsuback", packetIdentifier: 772, reasonCodes: [0x11, 0, 0x11, 0] },
  ]);
});

test("an UNSUBSCRIBE compares character by character: a filter that merely matches is not deleted [MQTT-3.10.4-1, MQTT-4.7.3-4]", async () => {
  const world = await World.create();
  const client = world.connect(5);
  client.subscribe("/devices/fern/commands/#");

  client.send({
    type: "unsubscribe",
    packetIdentifier: 2,
    topicFilters: ["#", "/devices/fern/commands", "/devices/FERN/commands/#", "/devices/fern/commands/#/"],
  });

  assert.deepEqual(client.of("unsuback")[0]?.reasonCodes, [0x11, 0x11, 0x11, 0x11]);
  assert.deepEqual(world.bridge.findSession(world.device())?.subscriptions, ["commands"]);
});

test("an UNSUBSCRIBE stops new commands, and the one in flight is still acknowledged [MQTT-3.10.4-2, MQTT-3.10.4-3]", async () => {
  const world = await World.create();
  const client = world.connect(5);
  client.subscribe("/devices/fern/commands/#");
  const outcomes: string[] = [];
  const send = () =>
    world.bridge.sendCommand(world.device(), { payload: Buffer.from("x"), subfolder: "" }, (outcome) =>
      outcomes.push(outcome),
    );
  send();

  client.send({ type: "unsubscribe", packetIdentifier: 2, topicFilters: ["/devices/fern/commands/#"] });
  send();
  client.send({ type: "puback", packetIdentifier: 1, reasonCode: 0 });
  await world.time.advance(0);

  assert.deepEqual(outcomes, ["not_subscribed", "delivered"]);
  assert.equal(client.of("publish").length, 1);
});

for (const reasonCode of [
  0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
]) {
  test(`DISCONNECT 0x${reasonCode.toString(16).padStart(2, "0")} of a client ends the connection without an answer, its Will unpublished (§3.14.4)`, async () => {
    const world = await World.create();
    const will = {
      topic: "/devices/fern/events",
      payload: Buffer.from("will"),
      qos: 1,
      retain: false,
    } as const;
    const client = world.connect(5, { will });

    client.send({ type: "disconnect", reasonCode }, { type: "pingreq" });
    await world.time.advance(10);

    assert.deepEqual(
      client.packets.map(({ type }) => type),
      ["connack"],
    );
    assert.equal(client.isClosed, true);
    assert.deepEqual(world.backbone.waiting, []);
  });
}

test("a Topic Alias can be set anew, stays in its connection, and is gone with it [MQTT-3.3.2-7]", async () => {
  const world = await World.create();
  const client = world.connect(5);
  const publish = (topic: string) => client.send({ ...publishOf(0), topic, properties: { topicAlias: 1 } });

  publish("/devices/fern/events/air");
  publish("");
  publish("/devices/fern/events/soil");
  publish("");
  const subfolders = world.backbone.waiting.map(({ message }) => message.subfolder);
  const next = world.connect(5, { cleanStart: false });
  next.send({ ...publishOf(0), topic: "", properties: { topicAlias: 1 } });

  assert.deepEqual(subfolders, ["air", "air", "soil", "soil"]);
  assert.equal(next.of("disconnect")[0]?.reasonCode, 0x82);
});

test("a Packet Identifier still in use is taken as another message, and acknowledged once for each [MQTT-4.3.2-5]", async () => {
  const world = await World.create();
  const client = world.connect(5);

  client.publish(1, { payload: "first" });
  client.send({ ...publishOf(1, { payload: "second" }), dup: true });
  const stored = world.backbone.waiting.map(({ message }) => Buffer.from(message.payload).toString());
  world.backbone.answer(0);
  world.backbone.answer(0);
  await world.time.advance(0);
  client.publish(1, { payload: "third" });

  assert.deepEqual(stored, ["first", "second"]);
  assert.equal(client.of("puback").length, 2);
  assert.equal(world.backbone.waiting.length, 1);
});

test("a PUBLISH of QoS 0 is not answered, and one of QoS 1 with a PUBACK of its Packet Identifier alone [MQTT-3.3.4-1, MQTT-2.2.1-5]", async () => {
  const world = await World.create();
  const client = world.connect(5);

  client.publish(0);
  client.publish(65_535);
  world.backbone.answer(0);
  world.backbone.answer(0);
  await world.time.advance(0);

  assert.deepEqual(client.of("puback"), [{ type: "puback", packetIdentifier: 65_535, reasonCode: 0 }]);
});

test("every PINGREQ is answered by a PINGRESP [MQTT-3.12.4-1]", async () => {
  const world = await World.create();
  const client = world.connect(5);

  client.send({ type: "pingreq" }, { type: "pingreq" });
  await world.time.advance(0);

  assert.equal(client.of("pingresp").length, 2);
});

test("CONNACK is the first packet to a client, and the only CONNACK [MQTT-3.2.0-1, MQTT-3.2.0-2, MQTT-3.14.0-1]", async () => {
  const world = await World.create();
  const first = world.connect(5, { cleanStart: false, properties: { sessionExpiryInterval: 600 } });
  first.subscribe("/devices/fern/commands/#");
  await world.time.advance(0);
  world.bridge.sendCommand(world.device(), { payload: Buffer.from("x"), subfolder: "" }, () => undefined);
  await world.time.advance(0);

  // It takes over, and the Session's unacknowledged command is on its way to it already.
  const second = world.connect(5, { cleanStart: false, properties: { sessionExpiryInterval: 600 } });
  await world.time.advance(0);

  assert.deepEqual(
    second.packets.map(({ type }) => type),
    ["connack", "publish"],
  );
  assert.deepEqual(
    first.of("disconnect").map(({ reasonCode }) => reasonCode),
    [0x8e],
  );
});
