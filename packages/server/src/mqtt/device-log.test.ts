/** What a device's life on MQTT leaves in its log. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { registryRef, World } from "../../test/bridge-world.ts";
import { GatewayWorld } from "../../test/gateway-world.ts";
import type { LogLevel } from "../registry/model.ts";

async function open(logLevel: LogLevel) {
  const world = await World.create();
  world.backbone.auto = { kind: "durable", messageId: "1" };
  await world.store.updateRegistry(registryRef, { logLevel: "NONE" });
  await world.store.updateDevice(world.device(), { logLevel });
  const numId = (await world.store.findDevice(world.device()))?.numId ?? "";
  const lines = () =>
    world.bridge.deviceLog.list(numId).map(({ severity, event }) => {
      const { eventType, protocol, status, ...more } = event;
      return [severity, eventType, protocol, status?.code ?? 0, ...Object.values(more)].join(" ");
    });
  return { world, lines };
}

test("at DEBUG a device's log tells its connection, subscriptions, messages both ways and its end", async () => {
  const { world, lines } = await open("DEBUG");

  const client = world.connect();
  client.subscribe("/devices/fern/config");
  await world.time.advance(10);
  const [config] = client.of("publish");
  client.send({ type: "puback", packetIdentifier: config?.packetIdentifier ?? 0, reasonCode: 0 });
  client.subscribe("/devices/fern/commands/#", 0);
  await world.time.advance(10);
  world.bridge.sendCommand(
    world.device(),
    { payload: Buffer.from("secret"), subfolder: "a" },
    () => undefined,
  );
  client.publish(7, { payload: "secret" });
  await world.time.advance(10);
  client.publish(8, { topic: "/devices/fern/state", payload: "secret" });
  await world.time.advance(10);
  client.send({ type: "disconnect", reasonCode: 0 });
  await world.time.advance(10);

  assert.deepEqual(lines(), [
    "INFO CONNECT MQTT 0",
    "DEBUG SUBSCRIBE MQTT 0 /devices/fern/config",
    "DEBUG PUBLISH MQTT 0 CONFIG",
    "DEBUG PUBACK MQTT 0 CONFIG",
    "DEBUG SUBSCRIBE MQTT 0 /devices/fern/commands/#",
    "DEBUG PUBLISH MQTT 0 COMMANDS",
    "DEBUG PUBLISH MQTT 0 EVENTS",
    "DEBUG PUBLISH MQTT 0 STATE",
    "INFO DISCONNECT MQTT 0 CLIENT",
  ]);
  const { numId = "" } = (await world.store.findDevice(world.device())) ?? {};
  assert.doesNotMatch(JSON.stringify(world.bridge.deviceLog.list(numId)), /secret/);
});

test("a connection the bridge ends is an ERROR with Cloud IoT Core's words", async () => {
  const { world, lines } = await open("ERROR");
  const numId = (await world.store.findDevice(world.device()))?.numId ?? "";
  world.connect();
  await world.time.advance(10);

  world.connect();
  await world.time.advance(10);

  assert.deepEqual(lines(), ["ERROR DISCONNECT MQTT 6 SERVER"]);
  assert.equal(
    world.bridge.deviceLog.list(numId)[0]?.event.status?.message,
    "SERVER: The connection was closed because there is another active connection with the same device ID.",
  );
});

test("the device's own level counts over its registry's, and a change counts from then on", async () => {
  const { world, lines } = await open("NONE");
  await world.store.updateRegistry(registryRef, { logLevel: "DEBUG" });
  const client = world.connect();
  client.publish(1);
  await world.time.advance(10);
  const silent = lines();

  await world.store.updateDevice(world.device(), { logLevel: "LOG_LEVEL_UNSPECIFIED" });
  await world.time.advance(10);
  client.publish(2);
  await world.time.advance(10);

  assert.deepEqual([silent, lines()], [[], ["DEBUG PUBLISH MQTT 0 EVENTS"]]);
});

test("a refused authentication is nobody's log entry", async () => {
  const { world, lines } = await open("DEBUG");

  world.connect(4, { token: world.key.token({ aud: "elsewhere" }) });
  await world.time.advance(10);

  assert.deepEqual(lines(), []);
});

async function openGateway(logLevel: LogLevel) {
  const house = await GatewayWorld.create();
  const { world } = house;
  await world.store.updateDevice(world.device(), { logLevel });
  const numId = (await world.store.findDevice(world.device()))?.numId ?? "";
  const lines = () =>
    world.bridge.deviceLog
      .list(numId)
      .map(({ severity, event }) =>
        [severity, event.eventType, event.status?.code ?? 0, event.gateway?.id].join(" "),
      );
  return { house, world, lines };
}

test("an attach and a detach through a gateway are DEBUG entries of the device, and name the gateway", async () => {
  const { house, world, lines } = await openGateway("DEBUG");
  const gateway = house.connect();

  house.attach(gateway, 1);
  gateway.publish(2, { topic: "/devices/fern/detach" });
  await world.time.advance(10);

  assert.deepEqual(lines(), ["DEBUG ATTACH_TO_GATEWAY 0 shed", "DEBUG DETACH_FROM_GATEWAY 0 shed"]);
});

test("a detachment the gateway did not ask for is an ERROR, and at ERROR all there is of both", async () => {
  const { house, world, lines } = await openGateway("ERROR");
  const gateway = house.connect();

  house.attach(gateway, 1);
  gateway.publish(2, { topic: "/devices/fern/telemetry" });
  await world.time.advance(10);

  assert.deepEqual(lines(), ["ERROR DETACH_FROM_GATEWAY 3 shed"]);
});
