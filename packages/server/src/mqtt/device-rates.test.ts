/** What a device over its rates meets on MQTT. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RegistryPolicy } from "@mayfly/core/token";
import { publishOf, type TestClient, World } from "../../test/bridge-world.ts";

const durable = { kind: "durable", messageId: "1" } as const;

async function open(policy: Partial<RegistryPolicy>, version: 4 | 5 = 4) {
  const world = await World.create({ policy });
  world.backbone.auto = durable;
  const client = world.connect(version);
  return { world, client };
}

const acknowledged = (client: TestClient) =>
  client.of("puback").map(({ packetIdentifier }) => packetIdentifier);

test("QoS 1 above the rate is held and acknowledged later, in order, and none is lost", async () => {
  const { world, client } = await open({ messagesPerSecond: 10 });

  for (let id = 1; id <= 30; id += 1) client.publish(id);
  await world.time.advance(20);
  const atOnce = acknowledged(client).length;
  await world.time.advance(2_100);

  assert.equal(atOnce, 10);
  assert.deepEqual(
    acknowledged(client),
    Array.from({ length: 30 }, (_, index) => index + 1),
  );
  assert.equal(client.isClosed, false);
});

test("while messages wait for the rate, PINGREQ is answered", async () => {
  const { world, client } = await open({ messagesPerSecond: 1 });
  for (let id = 1; id <= 10; id += 1) client.publish(id);

  client.send({ type: "pingreq" });
  await world.time.advance(10);

  assert.equal(client.of("pingresp").length, 1);
  assert.equal(acknowledged(client).length, 1);
});

test("bytes are paced as messages are", async () => {
  const { world, client } = await open({ bytesPerSecond: 1_000 });

  for (let id = 1; id <= 4; id += 1) client.publish(id, { payload: "x".repeat(1_000) });
  await world.time.advance(20);
  const atOnce = acknowledged(client).length;
  await world.time.advance(3_100);

  assert.deepEqual([atOnce, acknowledged(client).length], [1, 4]);
});

test("QoS 0 above the rate is dropped and counted", async () => {
  const { world, client } = await open({ messagesPerSecond: 2 });

  for (let n = 0; n < 5; n += 1) client.send(publishOf(0));
  await world.time.advance(20);

  const lines = world.diary.lines.filter((line) => line.includes("qos0"));
  assert.deepEqual(lines, [
    "published events qos0",
    "published events qos0",
    "notStored qos0 rate_limited",
    "notStored qos0 rate_limited",
    "notStored qos0 rate_limited",
  ]);
});

for (const version of [4, 5] as const) {
  test(`a third state within a second ends the connection (${version === 5 ? "5.0, 0x96" : "3.1.1"})`, async () => {
    const { world, client } = await open({ statesPerSecond: 1 }, version);
    const topic = "/devices/fern/state";

    client.publish(1, { topic });
    client.publish(2, { topic });
    await world.time.advance(20);
    assert.deepEqual(acknowledged(client), [1, 2]);
    client.publish(3, { topic });
    await world.time.advance(2_000);

    assert.equal(client.isClosed, true);
    assert.deepEqual(
      client.of("disconnect").map(({ reasonCode }) => reasonCode),
      version === 5 ? [0x96] : [],
    );
    const device = await world.store.findDevice(world.device());
    assert.deepEqual(
      [device?.activity.errorCode, device?.activity.errorMessage],
      [8, "mqtt: SERVER: The connection was closed because the device state was updated too often."],
    );
  });
}

test("a device that comes back has no new allowance", async () => {
  const { world, client } = await open({ statesPerSecond: 1 });
  const topic = "/devices/fern/state";
  client.publish(1, { topic });
  client.publish(2, { topic });
  await world.time.advance(20);
  client.send({ type: "disconnect", reasonCode: 0 });
  await world.time.advance(20);

  const again = world.connect();
  again.publish(1, { topic });
  await world.time.advance(20);

  assert.equal(again.isClosed, true);
});
