import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "../../test/bridge-world.ts";
import type { CommandOutcome } from "./bridge.ts";
import { commandBytesMax, configRetryMillis, downlinkWindowMax } from "./limits.ts";

const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();
const bytes = (content: string) => new Uint8Array(Buffer.from(content));

function command(world: World, payload = "go", subfolder = ""): CommandOutcome[] {
  const outcomes: CommandOutcome[] = [];
  world.bridge.sendCommand(world.device(), { payload: bytes(payload), subfolder }, (outcome) => {
    outcomes.push(outcome);
  });
  return outcomes;
}

test("the latest config is pushed on every subscribe, behind the SUBACK, an empty one too", async () => {
  const world = await World.create();
  const client = world.connect();

  client.subscribe("/devices/fern/config", 1);
  client.send({ type: "puback", packetIdentifier: 1, reasonCode: 0 });
  await world.store.modifyConfig(world.device(), bytes("a"), 0);
  client.subscribe("/devices/fern/config", 0);

  const pushed = client.of("publish").map(({ qos, topic, payload }) => [qos, topic, text(payload)]);
  assert.deepEqual(pushed, [
    [1, "/devices/fern/config", ""],
    [1, "/devices/fern/config", "a"],
    [0, "/devices/fern/config", "a"],
  ]);
  assert.equal(client.packets[1]?.type, "suback");
});

test("a config that cannot be looked up is looked up again until it can, every 5 s", async () => {
  const world = await World.create();
  const lookUpConfig = world.store.lookUpConfig.bind(world.store);
  let asked = 0;
  world.store.lookUpConfig = (ref, answer) => {
    asked += 1;
    if (asked < 3) answer("unavailable");
    else lookUpConfig(ref, answer);
  };
  const client = world.connect();
  client.subscribe("/devices/fern/config", 0);
  const first = asked;

  await world.time.advance(configRetryMillis * 2 - 1);
  const before = [asked, client.of("publish").length];
  await world.time.advance(configRetryMillis * 3);

  assert.deepEqual([first, before], [1, [2, 0]]);
  assert.deepEqual([asked, client.of("publish").length], [3, 1]);
});

test("a new config goes to a subscriber at once", async () => {
  const world = await World.create();
  const client = world.connect();
  client.subscribe("/devices/fern/config", 0);

  await world.store.modifyConfig(world.device(), bytes("on"), 0);
  await world.time.advance(0);

  assert.deepEqual(
    client.of("publish").map(({ payload }) => text(payload)),
    ["", "on"],
  );
});

test("while one config is unacknowledged newer ones wait, and only the newest goes out", async () => {
  const world = await World.create();
  const client = world.connect();
  client.subscribe("/devices/fern/config", 1);
  for (const content of ["a", "b", "c"]) await world.store.modifyConfig(world.device(), bytes(content), 0);
  await world.time.advance(10_000);
  const before = client.of("publish").length;

  client.send({ type: "puback", packetIdentifier: 1, reasonCode: 0 });
  await world.time.advance(0);

  assert.equal(before, 1);
  assert.deepEqual(
    client.of("publish").map(({ payload }) => text(payload)),
    ["", "c"],
  );
});

test("the PUBACK of a config tells the registry which version the device has", async () => {
  const world = await World.create();
  await world.store.modifyConfig(world.device(), bytes("a"), 0);
  const client = world.connect();
  client.subscribe("/devices/fern/config", 1);
  await world.time.advance(500);

  client.send({ type: "puback", packetIdentifier: 1, reasonCode: 0 });
  await world.time.advance(1_000);

  const device = await world.store.findDevice(world.device());
  assert.equal(device?.config.version, 2);
  assert.equal((device?.config.deviceAckMs ?? 0) % 1000, 500);
  assert.equal((device?.activity.configAckMs ?? 0) % 1000, 500);
  assert.equal((device?.activity.configSendMs ?? 0) % 1000, 0);
});

test("no config goes to a device that unsubscribed", async () => {
  const world = await World.create();
  const client = world.connect(5);
  client.subscribe("/devices/fern/config", 0);

  client.send({
    type: "unsubscribe",
    packetIdentifier: 2,
    topicFilters: ["/devices/fern/config", "/devices/fern/x"],
  });
  await world.store.modifyConfig(world.device(), bytes("on"), 0);
  await world.time.advance(0);

  assert.deepEqual(client.of("unsuback")[0]?.reasonCodes, [0x00, 0x11]);
  assert.equal(client.of("publish").length, 1);
});

test("QoS 2 is granted as 1; what cannot be subscribed is refused in the SUBACK, filter by filter", async () => {
  const world = await World.create();
  const filters = ["/devices/fern/config", "/devices/fern/events", "#", "/devices/fern/errors", "x#"];
  const answers = ([4, 5] as const).map((version) => {
    const client = world.connect(version);
    client.send({
      type: "subscribe",
      packetIdentifier: 9,
      subscriptions: filters.map((topicFilter) => ({
        topicFilter,
        qos: 2,
        noLocal: false,
        retainAsPublished: false,
        retainHandling: 0,
      })),
    });
    return client.of("suback")[0]?.reasonCodes;
  });

  assert.deepEqual(answers, [
    [1, 0x80, 0x80, 0x80, 0x80],
    [1, 0x8f, 0xa2, 0x8f, 0x8f],
  ]);
});

test("a command to nobody, and to a device that did not subscribe, is not sent", async () => {
  const world = await World.create();

  const nobody = command(world);
  await world.time.advance(0);
  const client = world.connect();
  const deaf = command(world);

  assert.deepEqual([nobody, deaf], [["not_connected"], ["not_subscribed"]]);
  assert.deepEqual(client.of("publish"), []);
});

test("a command at QoS 1 is delivered when the device acknowledged it, at QoS 0 when it left", async () => {
  const world = await World.create();
  const client = world.connect();
  client.subscribe("/devices/fern/commands/#", 1);

  const outcomes = command(world, "go", "pump/1");
  await world.time.advance(100);
  const before = [...outcomes];
  client.send({ type: "puback", packetIdentifier: 1, reasonCode: 0 });
  client.subscribe("/devices/fern/commands/#", 0);
  const at0 = command(world, "stop");
  await world.time.advance(0);

  assert.deepEqual([before, outcomes, at0], [[], ["delivered"], ["delivered"]]);
  assert.deepEqual(
    client.of("publish").map(({ qos, topic, payload }) => [qos, topic, text(payload)]),
    [
      [1, "/devices/fern/commands/pump/1", "go"],
      [0, "/devices/fern/commands", "stop"],
    ],
  );
});

test("a command that is not acknowledged times out after five seconds", async () => {
  const world = await World.create();
  const client = world.connect();
  client.subscribe("/devices/fern/commands/#");

  const outcomes = command(world);
  await world.time.advance(4_999);
  const before = [...outcomes];
  await world.time.advance(1);
  client.send({ type: "puback", packetIdentifier: 1, reasonCode: 0 });

  assert.deepEqual([before, outcomes], [[], ["timed_out"]]);
  assert.equal(client.isClosed, false);
});

test("a command of a connection that ends is answered at once", async () => {
  const world = await World.create();
  const client = world.connect();
  client.subscribe("/devices/fern/commands/#");
  const outcomes = command(world);

  client.lose();

  assert.deepEqual(outcomes, ["connection_lost"]);
});

test("at most 20 commands are in flight, those that timed out included", async () => {
  const world = await World.create();
  const client = world.connect();
  client.subscribe("/devices/fern/commands/#");
  for (let i = 0; i < downlinkWindowMax; i++) command(world);
  await world.time.advance(5_000);

  const above = command(world);
  client.send({ type: "puback", packetIdentifier: 4, reasonCode: 0 });
  const again = command(world);
  await world.time.advance(0);

  assert.deepEqual([above, again], [["too_many"], []]);
  assert.equal(world.bridge.counts().downlinkInFlight, downlinkWindowMax);
  assert.equal(client.of("publish").length, downlinkWindowMax + 1);
});

test("a client's Receive Maximum holds for config and commands together", async () => {
  const world = await World.create();
  const client = world.connect(5, { properties: { receiveMaximum: 1 } });
  client.subscribe("/devices/fern/commands/#");
  const first = command(world);
  client.subscribe("/devices/fern/config");
  const second = command(world);
  const before = client.of("publish").length;

  client.send({ type: "puback", packetIdentifier: 1, reasonCode: 0 });

  assert.deepEqual([first, second, before], [["delivered"], ["too_many"], 1]);
  assert.equal(client.of("publish")[1]?.topic, "/devices/fern/config");
});

test("a 3.1.1 device that withheld a PUBACK and subscribes anew gets the latest config at once, and acknowledges that", async () => {
  const world = await World.create();
  const client = world.connect(4);
  client.subscribe("/devices/fern/config");
  await world.store.modifyConfig(world.device(), bytes("b"), 0);
  await world.time.advance(0);
  const before = client.of("publish").length;

  client.subscribe("/devices/fern/config");
  client.send({ type: "puback", packetIdentifier: 1, reasonCode: 0 });
  await world.time.advance(0);
  const early = await world.store.listConfigVersions(world.device(), 10);
  client.send({ type: "puback", packetIdentifier: 2, reasonCode: 0 });
  await world.time.advance(0);

  const sent = client.of("publish").map(({ packetIdentifier, payload }) => [packetIdentifier, text(payload)]);
  assert.equal(before, 1);
  assert.deepEqual(sent, [
    [1, ""],
    [2, "b"],
  ]);
  const isAcknowledged = (configs: typeof early) =>
    configs.map(({ deviceAckMs }) => deviceAckMs !== undefined);
  assert.deepEqual(isAcknowledged(early), [false, false]);
  assert.deepEqual(isAcknowledged(await world.store.listConfigVersions(world.device(), 10)), [true, false]);
});

test("in MQTT 5 a config says which version it is, each time it is sent; 3.1.1 has no place for it", async () => {
  const world = await World.create();
  const five = world.connect(5);
  five.subscribe("/devices/fern/config");
  await world.store.modifyConfig(world.device(), bytes("b"), 0);
  await world.time.advance(0);
  five.send({ type: "puback", packetIdentifier: 1, reasonCode: 0 });
  await world.time.advance(0);

  const older = world.connect(4);
  older.subscribe("/devices/fern/config");

  assert.deepEqual(
    five.of("publish").map(({ properties, payload }) => [properties?.userProperties, text(payload)]),
    [
      [[["config-version", "1"]], ""],
      [[["config-version", "2"]], "b"],
    ],
  );
  assert.deepEqual(
    older.of("publish").map(({ properties, payload }) => [properties, text(payload)]),
    [[undefined, "b"]],
  );
});

test("a config that fits a client's Maximum Packet Size only without its version is sent without it", async () => {
  const world = await World.create();
  await world.store.modifyConfig(world.device(), bytes("x".repeat(40)), 0);
  // Fixed header 2, Topic Name 22, property length 1, payload 40; the version is 21 more.
  const client = world.connect(5, { properties: { maximumPacketSize: 80 } });

  client.subscribe("/devices/fern/config", 0);

  const [config] = client.of("publish");
  assert.deepEqual([config?.properties, config?.payload.length], [undefined, 40]);
});

test("a command is bounded, by us and by the client's Maximum Packet Size", async () => {
  const world = await World.create();
  const client = world.connect(5, { properties: { maximumPacketSize: 100 } });
  client.subscribe("/devices/fern/commands/#");

  const forClient = command(world, "x".repeat(100));
  const forUs = command(world, "x".repeat(commandBytesMax + 1));
  const fits = command(world, "x");
  await world.time.advance(0);

  assert.deepEqual([forClient, forUs, fits], [["too_large"], ["too_large"], []]);
  assert.equal(client.of("publish").length, 1);
});

test("a device that connected by numId finds its numId in its topics", async () => {
  const world = await World.create();
  const numId = (await world.store.findDevice(world.device()))?.numId ?? "";
  const client = world.connect(4, {
    clientIdentifier: `projects/mayfly/locations/here/registries/greenhouse/devices/${numId}`,
  });

  client.subscribe(`/devices/${numId}/config`, 0);

  assert.equal(client.of("publish")[0]?.topic, `/devices/${numId}/config`);
});

test("a Subscription Identifier ends the connection with 0xA1, as CONNACK announced", async () => {
  const world = await World.create();
  const client = world.connect(5);
  const filter = {
    topicFilter: "/devices/fern/config",
    qos: 1,
    noLocal: false,
    retainAsPublished: false,
  } as const;

  client.send({
    type: "subscribe",
    packetIdentifier: 1,
    subscriptions: [{ ...filter, retainHandling: 0 }],
    properties: { subscriptionIdentifiers: [1] },
  });

  assert.equal(client.of("disconnect")[0]?.reasonCode, 0xa1);
});
