import assert from "node:assert/strict";
import { test } from "node:test";
import { policyPresets } from "@mayfly/core/token";
import {
  type AdminHouse,
  credential,
  lab,
  makePublicKey,
  openAdminHouse,
  portOf,
  publish,
} from "../../test/http/admin-house.ts";

const registries = `/mayfly${lab}`;
const device = `${lab}/plant/devices/sensor-1`;
const keys = `/mayfly${device}/keys`;
const [pemA, pemB, pemC, pemD] = [makePublicKey(), makePublicKey(), makePublicKey(), makePublicKey()];

async function openPlant(): Promise<AdminHouse> {
  const house = await openAdminHouse();
  await house.call("POST", registries, { id: "plant" });
  await house.call("POST", `${lab}/plant/devices`, { id: "sensor-1", credentials: [credential(pemA)] });
  return house;
}

test("a registry made by our own tools is strict unless it says otherwise", async () => {
  const house = await openAdminHouse();

  const strict = await house.call("POST", registries, { id: "plant-a" });
  const mixed = await house.call("POST", registries, {
    id: "plant-b",
    policy: { preset: "iot-core", looseBase64: false },
    retention: { ageSeconds: 3_600 },
  });

  assert.deepEqual(strict.body.policy, policyPresets.strict);
  assert.deepEqual(mixed.body.policy, { ...policyPresets["iot-core"], looseBase64: false });
  assert.deepEqual(mixed.body.retention, { ageSeconds: 3_600, bytes: 1024 ** 3 });
});

test("a change of policy sets the fields it names; a preset resets the others", async () => {
  const house = await openPlant();

  const one = await house.call("PATCH", `${registries}/plant`, { policy: { skewSeconds: 30 } });
  const reset = await house.call("PATCH", `${registries}/plant`, { policy: { preset: "iot-core" } });

  assert.deepEqual(one.body.policy, { ...policyPresets.strict, skewSeconds: 30 });
  assert.deepEqual(reset.body.policy, policyPresets["iot-core"]);
});

test("notification configs and the log level are set at creation, changed one by one, and v1 sees them", async () => {
  const house = await openAdminHouse();
  const topic = (name: string) => `projects/mayfly/topics/${name}`;
  const eventNotificationConfigs = [
    { subfolderMatches: "alerts", pubsubTopicName: topic("alerts") },
    { pubsubTopicName: topic("telemetry") },
  ];

  const made = await house.call("POST", registries, {
    id: "plant",
    eventNotificationConfigs,
    logLevel: "INFO",
  });
  const changed = await house.call("PATCH", `${registries}/plant`, {
    stateNotificationConfig: { pubsubTopicName: topic("states") },
  });
  const cleared = await house.call("PATCH", `${registries}/plant`, { eventNotificationConfigs: [] });
  const v1 = await house.call("GET", `${lab}/plant`);

  assert.deepEqual(made.body.eventNotificationConfigs, eventNotificationConfigs);
  assert.deepEqual(changed.body.eventNotificationConfigs, eventNotificationConfigs);
  assert.equal(cleared.body.eventNotificationConfigs, undefined);
  assert.deepEqual(
    [v1.body.stateNotificationConfig, v1.body.logLevel],
    [{ pubsubTopicName: topic("states") }, "INFO"],
  );
});

for (const body of [
  { stateNotificationConfig: { pubsubTopicName: "states" } },
  { policy: { preset: "lax" } },
  { policy: { skewSeconds: 601 } },
  { policy: { skewSeconds: "30" } },
  { policy: { skew: 30 } },
  { retention: { ageSeconds: 1 } },
  { retention: { bytes: 1 } },
  { policies: {} },
]) {
  test(`a registry change of ${JSON.stringify(body)} is refused`, async () => {
    const house = await openPlant();

    const answer = await house.call("PATCH", `${registries}/plant`, body);

    assert.deepEqual([answer.status, answer.body.error.status], [400, "INVALID_ARGUMENT"]);
  });
}

test("keys are listed in all states with fingerprint, slot and times", async () => {
  const house = await openPlant();

  const added = await house.call("POST", keys, {
    format: "ES256_PEM",
    key: pemB,
    slot: 2,
    state: "pending",
    keyId: "slot-2",
  });
  const listed = await house.call("GET", keys);

  assert.equal(added.status, 200);
  assert.match(added.body.fingerprint, /^[0-9a-f]{64}$/);
  assert.deepEqual([added.body.keyId, added.body.slot, added.body.state], ["slot-2", 2, "pending"]);
  assert.equal(listed.body.keys.length, 2);
  assert.deepEqual(listed.body.keys[1], added.body);
  assert.equal(listed.body.keys[0].keyId, listed.body.keys[0].fingerprint.slice(0, 16));
});

test("a pending key becomes active, retiring with its date, active again without one, then retired", async () => {
  const house = await openPlant();
  await house.call("POST", keys, { format: "ES256_PEM", key: pemB, state: "pending", keyId: "next" });

  const active = await house.call("PATCH", `${keys}/next`, { state: "active" });
  const undated = await house.call("PATCH", `${keys}/next`, { state: "retiring" });
  const retiring = await house.call("PATCH", `${keys}/next`, {
    state: "retiring",
    expirationTime: "2023-12-01T00:00:00Z",
  });
  const back = await house.call("PATCH", `${keys}/next`, { state: "active" });
  const retired = await house.call("PATCH", `${keys}/next`, { state: "retired" });

  assert.deepEqual([active.body.state, undated.status], ["active", 400]);
  assert.deepEqual(
    [retiring.body.state, retiring.body.expirationTime],
    ["retiring", "2023-12-01T00:00:00.000Z"],
  );
  assert.deepEqual([back.body.state, back.body.expirationTime], ["active", undefined]);
  assert.equal(retired.body.state, "retired");
});

test("a revoked key never returns: not by state, not by addition, not through v1, not on another device", async () => {
  const house = await openPlant();
  const listed = await house.call("GET", keys);
  const { keyId } = listed.body.keys[0];
  await house.call("PATCH", `${keys}/${keyId}`, { state: "revoked" });

  const answers = [
    await house.call("PATCH", `${keys}/${keyId}`, { state: "active" }),
    await house.call("POST", keys, { format: "ES256_PEM", key: pemA }),
    await house.call("PATCH", `${device}?updateMask=credentials`, { credentials: [credential(pemA)] }),
    await house.call("POST", `${lab}/plant/devices`, { id: "sensor-2", credentials: [credential(pemA)] }),
  ];

  assert.deepEqual(
    answers.map((answer) => answer.body.error?.status),
    Array(4).fill("FAILED_PRECONDITION"),
  );
});

test("a fourth key that may verify is refused until one is retired", async () => {
  const house = await openPlant();
  await house.call("POST", keys, { format: "ES256_PEM", key: pemB });
  await house.call("POST", keys, { format: "ES256_PEM", key: pemC, keyId: "third" });

  const fourth = await house.call("POST", keys, { format: "ES256_PEM", key: pemD });
  await house.call("PATCH", `${keys}/third`, { state: "retired" });
  const again = await house.call("POST", keys, { format: "ES256_PEM", key: pemD });

  assert.deepEqual([fourth.status, fourth.body.error.status], [400, "FAILED_PRECONDITION"]);
  assert.equal(again.status, 200);
});

for (const [body, status] of [
  [{ format: "ES256_PEM", key: pemA }, 409],
  [{ format: "ES256_PEM", key: pemB, state: "retired" }, 400],
  [{ format: "ES256_PEM", key: pemB, slot: 256 }, 400],
  [{ format: "ES256_PEM", key: pemB, keyId: "a b" }, 400],
  [{ format: "ES256_PEM", key: pemB, expirationTime: "tomorrow" }, 400],
  [{ key: pemB }, 400],
  [{ format: "ES256_PEM", key: "" }, 400],
] as const) {
  test(`adding a key with ${JSON.stringify({ ...body, key: body.key.slice(27, 35) })} is refused with ${status}`, async () => {
    const house = await openPlant();

    const answer = await house.call("POST", keys, body);

    assert.equal(answer.status, status, answer.text);
  });
}

test("tokensNotBefore is set and cleared", async () => {
  const house = await openPlant();

  const set = await house.call("PATCH", `/mayfly${device}`, { tokensNotBefore: "2023-11-14T00:00:00Z" });
  const cleared = await house.call("PATCH", `/mayfly${device}`, { tokensNotBefore: null });
  const neither = await house.call("PATCH", `/mayfly${device}`, {});

  assert.equal(set.body.tokensNotBefore, "2023-11-14T00:00:00.000Z");
  assert.equal(cleared.body.tokensNotBefore, undefined);
  assert.equal(neither.status, 400);
});

test("the session of a device that is not connected says so", async () => {
  const house = await openPlant();

  const answer = await house.call("GET", `/mayfly${device}/session`);

  assert.deepEqual(answer.body, { connected: false });
});

test("the tail of a registry streams messages as they become durable, until the server closes", async () => {
  const house = await openPlant();
  await house.app.listen({ host: "127.0.0.1", port: 0 });

  const response = await fetch(`http://127.0.0.1:${portOf(house.app)}${registries}/plant:tail`, {
    headers: { authorization: "Bearer mayfly_test-token" },
  });
  const reader = response.body?.getReader();
  const opening = await reader?.read();
  await publish(house, { deviceId: "sensor-1", text: "hi", subfolder: "a" });
  const first = await reader?.read();
  const closing = house.app.close();
  const last = await reader?.read();
  await closing;

  const line = JSON.parse(Buffer.from(first?.value ?? new Uint8Array()).toString());
  assert.equal(response.headers.get("content-type"), "application/x-ndjson; charset=utf-8");
  assert.deepEqual(opening?.value, new Uint8Array([0x0a]));
  assert.equal(line.kind, "message");
  assert.deepEqual([line.message.data, line.message.attributes.subFolder], ["aGk=", "a"]);
  assert.equal(last?.done, true);
});
