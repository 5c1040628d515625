import assert from "node:assert/strict";
import { test } from "node:test";
import { DeviceKey, publishOf, registryRef, startSeconds } from "../../test/bridge-world.ts";
import {
  answers,
  errorsOf,
  errorTypesOf,
  GatewayWorld,
  pubacks,
  shedPath,
  withLookUp,
} from "../../test/gateway-world.ts";
import {
  attachesAtOnceMax,
  failedAttachesAtOnceMax,
  gatewayErrorsAtOnceMax,
  gatewayErrorsPerSecond,
} from "./limits.ts";

const events = "/devices/fern/events";
const detachment = ["GATEWAY_DETACHMENT_DEVICE_ERROR"];

test("a device is detached to the second when its token and the grace are over, and its gateway is told", async () => {
  const house = await GatewayWorld.create({ policy: { graceSeconds: 60 } });
  const gateway = house.listening(5);
  house.attach(gateway, 1, {
    authorization: house.world.key.token({ iat: startSeconds, exp: startSeconds + 600 }),
  });
  await house.world.time.advance(659_000);
  const before = house.world.bridge.counts().attached;

  await house.world.time.advance(1_000);

  assert.equal(before, 1);
  assert.equal(house.world.bridge.counts().attached, 0);
  assert.deepEqual(errorTypesOf(gateway), detachment);
  assert.equal(
    errorsOf(gateway)[0]?.["description"],
    "Device detached because of a device error: its authorization token expired.",
  );
  gateway.publish(2, { topic: events });
  assert.deepEqual(answers(gateway).at(-1), [2, 0x87]);
});

test("attached again with the next token, a device stays beyond the first one's end, subscriptions and all", async () => {
  const house = await GatewayWorld.create();
  const { world } = house;
  const gateway = house.listening();
  house.attach(gateway, 1, { authorization: world.key.token({ exp: startSeconds + 600 }) });
  gateway.subscribe("/devices/fern/commands/#", 0);
  await world.time.advance(550_000);

  house.attach(gateway, 2, {
    authorization: world.key.token({ iat: startSeconds + 550, exp: startSeconds + 1200 }),
  });
  await world.time.advance(100_000);
  const outcomes: string[] = [];
  world.bridge.sendCommand(world.device(), { payload: Buffer.from("x"), subfolder: "" }, (outcome) =>
    outcomes.push(outcome),
  );

  assert.deepEqual(pubacks(gateway), [1, 2]);
  assert.deepEqual(outcomes, ["delivered"]);
  assert.deepEqual(errorsOf(gateway), []);
  assert.ok(world.diary.lines.includes("attached fern shed renewed"));
});

test("a renewal that is refused leaves the right there was, to its end", async () => {
  const house = await GatewayWorld.create();
  const gateway = house.listening();
  house.attach(gateway, 1, { authorization: house.world.key.token({ exp: startSeconds + 600 }) });

  house.attach(gateway, 2, { authorization: new DeviceKey("stranger").token() });
  const between = house.world.bridge.counts().attached;
  await house.world.time.advance(600_000);

  assert.equal(between, 1);
  assert.equal(house.world.bridge.counts().attached, 0);
});

type Change = (house: GatewayWorld) => Promise<unknown>;
const changes: readonly (readonly [string, Change, string])[] = [
  [
    "its device is blocked",
    ({ world }) => world.store.updateDevice(world.device(), { blocked: true }),
    "device_blocked",
  ],
  [
    "its key is retired",
    ({ world }) => world.store.updateDevice(world.device(), { keys: [world.key.inState("retired")] }),
    "key_retired",
  ],
  [
    "its key is revoked",
    ({ world }) => world.store.updateDevice(world.device(), { keys: [world.key.inState("revoked")] }),
    "key_revoked",
  ],
  [
    "its binding is undone",
    ({ world }) => world.store.unbindDevice(registryRef, "shed", "fern"),
    "not_associated",
  ],
  [
    "its tokens are superseded",
    ({ world }) => world.store.updateDevice(world.device(), { tokensNotBeforeSeconds: startSeconds + 1 }),
    "token_superseded",
  ],
  [
    "its gateway may attach nobody any more",
    ({ world }) =>
      world.store.updateDevice(world.device("shed"), {
        gatewayAuthMethod: "GATEWAY_AUTH_METHOD_UNSPECIFIED",
      }),
    "not_associated",
  ],
];

for (const [what, change, because] of changes) {
  test(`an attachment ends within a second when ${what}`, async () => {
    const house = await GatewayWorld.create();
    const gateway = house.listening();
    house.attach(gateway, 1);

    await change(house);
    await house.world.time.advance(1_000);

    assert.equal(house.world.bridge.counts().attached, 0);
    assert.ok(house.world.diary.lines.includes(`detached fern ${because}`), because);
    assert.deepEqual(errorTypesOf(gateway), detachment);
    assert.equal(gateway.isClosed, false);
  });
}

test("a device that is unbound and deleted is detached, and what was made anew under its name is not it", async () => {
  const house = await GatewayWorld.create({ method: "DEVICE_AUTH_TOKEN_ONLY" });
  const { world } = house;
  await world.store.unbindDevice(registryRef, "shed", "fern");
  const gateway = house.listening();
  house.attach(gateway, 1);

  await world.store.deleteDevice(world.device());
  await world.createDevice("fern", [new DeviceKey("another").record]);
  await world.time.advance(1_000);

  assert.ok(world.diary.lines.includes("detached fern device_deleted"));
  assert.equal(world.bridge.counts().attached, 0);
});

test("a blocked gateway takes its attachments with it", async () => {
  const house = await GatewayWorld.create();
  const gateway = house.connect();
  house.attach(gateway, 1);

  await house.world.store.updateDevice(house.world.device("shed"), { blocked: true });
  await house.world.time.advance(1_000);

  assert.equal(gateway.isClosed, true);
  assert.equal(house.world.bridge.counts().attached, 0);
  assert.ok(house.world.diary.lines.includes("detached fern connection_ended"));
});

test("a registry that stops taking association alone loses the devices that have no token", async () => {
  const house = await GatewayWorld.create({ method: "ASSOCIATION_ONLY" });
  const gateway = house.listening();
  house.attach(gateway, 1, { authorization: "" });
  const registry = await house.world.store.findRegistry(registryRef);
  const policy = registry?.policy ?? assert.fail();

  await house.world.store.updateRegistry(registryRef, {
    policy: { ...policy, gatewayAssociationOnly: "refuse" },
  });
  await house.world.time.advance(1_000);

  assert.ok(house.world.diary.lines.includes("detached fern not_associated"));
  assert.equal(gateway.isClosed, false);
});

test("an attachment whose right cannot be looked up after a change is not assumed to hold", async () => {
  let isDown = false;
  const house = await GatewayWorld.create({
    wrap: withLookUp((lookUp) => (device, gateway, answer) => {
      if (isDown) answer("unavailable");
      else lookUp(device, gateway, answer);
    }),
  });
  const gateway = house.listening();
  house.attach(gateway, 1);
  isDown = true;

  await house.world.store.updateDevice(house.world.device(), { logLevel: "INFO" });
  await house.world.time.advance(1_000);

  assert.ok(house.world.diary.lines.includes("detached fern registry_unavailable"));
});

test("the newest attach wins: the gateway that had the device before hears of it", async () => {
  const house = await GatewayWorld.create();
  const { world } = house;
  const barnKey = new DeviceKey("of the barn");
  await house.createGateway("barn", barnKey, "DEVICE_AUTH_TOKEN_ONLY");
  const shed = house.listening();
  const barn = world.connect(4, {
    clientIdentifier: shedPath.replace("shed", "barn"),
    token: barnKey.token(),
  });
  house.attach(shed, 1);

  house.attach(barn, 1);
  barn.publish(2, { topic: events });
  shed.publish(3, { topic: events });

  assert.deepEqual(errorTypesOf(shed), [...detachment, "GATEWAY_DEVICE_NOT_FOUND"]);
  assert.deepEqual(
    world.backbone.waiting.map(({ message }) => message.gatewayId),
    ["barn"],
  );
  assert.ok(world.diary.lines.includes("detached fern attached_elsewhere"));
  assert.equal(world.bridge.counts().attached, 1);
});

test("where an attach ends no direct session, both speak, and commands go to the device itself", async () => {
  const house = await GatewayWorld.create();
  const { world } = house;
  const direct = world.connect();
  direct.subscribe("/devices/fern/commands/#", 0);
  const gateway = house.listening();
  house.attach(gateway, 1);
  gateway.subscribe("/devices/fern/commands/#", 0);
  const outcomes: string[] = [];

  world.bridge.sendCommand(world.device(), { payload: Buffer.from("x"), subfolder: "" }, (outcome) =>
    outcomes.push(outcome),
  );
  direct.publish(1);
  gateway.publish(2, { topic: events });

  assert.equal(direct.isClosed, false);
  assert.deepEqual(outcomes, ["delivered"]);
  assert.deepEqual([direct.of("publish").length, gateway.of("publish").length], [1, 0]);
  assert.deepEqual(
    world.backbone.waiting.map(({ message }) => message.gatewayId),
    [undefined, "shed"],
  );
});

test("where an attach ends a direct session, the newer of both is the device's one way in", async () => {
  const house = await GatewayWorld.create({ policy: { attachEndsDirectSession: true } });
  const { world } = house;
  const direct = world.connect();
  const gateway = house.listening();
  house.attach(gateway, 1);
  const afterAttach = [direct.isClosed, world.bridge.counts().attached];

  const again = world.connect();
  await world.time.advance(0);

  assert.deepEqual(afterAttach, [true, 1]);
  assert.ok(world.diary.lines.includes("disconnected fern taken_over"));
  assert.deepEqual([again.isClosed, world.bridge.counts().attached], [false, 0]);
  assert.ok(world.diary.lines.includes("detached fern direct_connection"));
});

test("what an attached device had in flight when it lost its right is not stored, and its gateway hears of it", async () => {
  const house = await GatewayWorld.create();
  const { world } = house;
  const gateway = house.listening();
  house.attach(gateway, 1);
  // 20 of the gateway's own fill the window, so the device's waits.
  for (let id = 2; id < 22; id++) gateway.publish(id, { topic: "/devices/shed/events" });
  gateway.publish(22, { topic: events, payload: "held" });

  await world.store.updateDevice(world.device(), { blocked: true });
  await world.time.advance(1_000);
  while (world.backbone.waiting.length > 0) world.backbone.answer(0);
  await world.time.advance(0);

  assert.equal(
    world.backbone.waiting.some(({ message }) => message.deviceId === "fern"),
    false,
  );
  assert.deepEqual(errorTypesOf(gateway), [...detachment, "GATEWAY_DEVICE_NOT_FOUND"]);
  assert.deepEqual(pubacks(gateway).at(-1), 22);
});

test("a gateway renews its own token inside the session and keeps what is attached", async () => {
  const house = await GatewayWorld.create();
  const { world } = house;
  const gateway = world.connectByMethod({
    clientIdentifier: shedPath,
    token: house.gatewayKey.token({ sub: shedPath }),
  });
  house.attach(gateway, 1);
  await world.time.advance(10_000);

  gateway.authenticate(house.gatewayKey.token({ sub: shedPath, iat: startSeconds + 10 }));
  gateway.publish(2, { topic: events });

  assert.equal(gateway.of("auth").length, 1);
  assert.equal(world.backbone.waiting.length, 1);
  assert.equal(world.bridge.counts().attached, 1);
});

test("a gateway's handover keeps what is attached, its subscriptions and what is in flight to it", async () => {
  const house = await GatewayWorld.create();
  const { world } = house;
  const handover = { cleanStart: false, userName: "mayfly/1 handover" };
  const token = () => house.gatewayKey.token({ sub: shedPath });
  const first = house.listening(4, { ...handover, token: token() });
  house.attach(first, 1);
  await world.time.advance(0);
  first.subscribe("/devices/fern/config", 1);
  await world.time.advance(0);
  const config = first.of("publish")[0] ?? assert.fail();

  const second = house.connect(4, { ...handover, token: token() });
  await world.time.advance(0);
  second.publish(2, { topic: events });
  second.publish(3, { topic: "/devices/ghost/events" });

  const again = second.of("publish")[0] ?? assert.fail();
  assert.deepEqual(
    [again.topic, again.dup, again.packetIdentifier],
    [config.topic, true, config.packetIdentifier],
  );
  assert.equal(world.backbone.waiting.length, 1);
  assert.deepEqual(errorTypesOf(second), ["GATEWAY_DEVICE_NOT_FOUND"]);
  assert.deepEqual(
    world.diary.lines.filter((line) => line.startsWith("detached")),
    [],
  );
});

test("a Session that resumes after a lost connection has nobody attached, and hears its errors", async () => {
  const house = await GatewayWorld.create();
  const first = house.listening(4, { cleanStart: false });
  house.attach(first, 1);
  await house.world.time.advance(0);
  first.lose();
  await house.world.time.advance(10);

  const second = house.connect(4, { cleanStart: false });
  await house.world.time.advance(10);
  second.publish(1, { topic: events });

  assert.equal(second.of("connack")[0]?.sessionPresent, true);
  assert.deepEqual(errorTypesOf(second), ["GATEWAY_DEVICE_NOT_FOUND"]);
});

test("failed attaches are limited for the gateway, over its connections, and cost the device nothing", async () => {
  const house = await GatewayWorld.create();
  const { world } = house;
  const first = house.connect(5);
  for (let i = 0; i < failedAttachesAtOnceMax; i++) {
    house.attach(first, 1, { authorization: new DeviceKey("stranger").token() });
  }
  first.lose();
  const second = house.connect(5);
  house.attach(second, 1);
  const refused = answers(second).at(-1);

  const direct = world.connect(4, { token: world.key.token() });
  await world.time.advance(1_000);
  house.attach(second, 2);

  assert.deepEqual(refused, [1, 0x97]);
  assert.ok(world.diary.lines.includes("attachRefused fern attaches_too_often"));
  assert.equal(direct.isClosed, false);
  assert.deepEqual(answers(second).at(-1), [2, 0]);
});

test("attaches are limited to 1,000 at once and 50 a second", async () => {
  const house = await GatewayWorld.create({ method: "ASSOCIATION_ONLY" });
  const gateway = house.connect(5);
  for (let i = 0; i < attachesAtOnceMax; i++) house.attach(gateway, 1, { authorization: "" });
  house.attach(gateway, 2, { authorization: "" });
  const over = answers(gateway).at(-1);

  await house.world.time.advance(20);
  house.attach(gateway, 3, { authorization: "" });
  house.attach(gateway, 4, { authorization: "" });

  assert.deepEqual(over, [2, 0x97]);
  assert.deepEqual(answers(gateway).slice(-2), [
    [3, 0],
    [4, 0x97],
  ]);
});

test("errors are told up to their rate, then dropped and counted", async () => {
  const house = await GatewayWorld.create();
  const gateway = house.listening();
  for (let i = 0; i < gatewayErrorsAtOnceMax + 5; i++) gateway.publish(0, { topic: events });
  const atOnce = errorsOf(gateway).length;

  await house.world.time.advance(1_000);
  for (let i = 0; i < gatewayErrorsPerSecond + 5; i++) gateway.publish(0, { topic: events });

  assert.equal(atOnce, gatewayErrorsAtOnceMax);
  assert.equal(errorsOf(gateway).length, gatewayErrorsAtOnceMax + gatewayErrorsPerSecond);
  const dropped = house.world.diary.lines.filter((line) => line.endsWith("dropped"));
  assert.equal(dropped.length, 10);
});

test("a gateway that does not read is told no errors", async () => {
  const house = await GatewayWorld.create();
  const gateway = house.listening();
  gateway.bufferedBytes = 2 * 1024 * 1024;

  gateway.publish(0, { topic: events });

  assert.deepEqual(errorsOf(gateway), []);
});

test("a change of the registry while an attach is judged has the attachment judged again", async () => {
  const late: (() => void)[] = [];
  let isLate = true;
  const house = await GatewayWorld.create({
    method: "ASSOCIATION_ONLY",
    wrap: withLookUp((lookUp) => (device, gateway, answer) => {
      lookUp(device, gateway, (record) => {
        if (isLate) late.push(() => answer(record));
        else answer(record);
      });
    }),
  });
  const gateway = house.listening();
  house.attach(gateway, 1, { authorization: "" });
  isLate = false;
  await house.world.store.updateDevice(house.world.device(), { blocked: true });

  late[0]?.();
  await house.world.time.advance(1_000);

  assert.equal(house.world.bridge.counts().attached, 0);
  assert.ok(house.world.diary.lines.includes("detached fern device_blocked"));
});

test("a bridge that drains detaches everything with the gateway's connection", async () => {
  const house = await GatewayWorld.create();
  const gateway = house.connect();
  house.attach(gateway, 1);
  gateway.send(publishOf(0, { topic: "/devices/fern/state" }));

  house.world.bridge.drain();
  await house.world.time.advance(5_000);

  assert.equal(house.world.bridge.counts().attached, 0);
  assert.equal(gateway.isClosed, true);
});
