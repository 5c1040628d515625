import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { utf8Decode } from "@mayfly/core";
import { parseInstruction } from "@mayfly/core/instruction";
import { type AdminHouse, lab, openAdminHouse, startSeconds } from "../../test/http/admin-house.ts";

const lamp = `${lab}/lamps/devices/lamp-0`;
const mayflyLamp = `/mayfly${lamp}`;

function makePem(): string {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return publicKey.export({ format: "pem", type: "spki" }).toString();
}

/** A registry with a device of two keys: slot 0 active, slot 1 pending; and one more without a slot. */
async function openWithLamp(policy: object = {}): Promise<AdminHouse> {
  const house = await openAdminHouse();
  await house.call("POST", `/mayfly${lab}`, { id: "lamps", policy });
  await house.call("POST", `${lab}/lamps/devices`, { id: "lamp-0" });
  for (const key of [{ slot: 0 }, { slot: 1, state: "pending" }, { keyId: "spare", state: "pending" }]) {
    const answer = await house.call("POST", `${mayflyLamp}/keys`, {
      format: "ES256_PEM",
      key: makePem(),
      ...key,
    });
    assert.equal(answer.status, 200, answer.text);
  }
  return house;
}

test("an instruction goes out as the device's next command, numbered, and stands on record", async () => {
  const house = await openWithLamp();

  const { status, body } = await house.call("POST", `${mayflyLamp}:instruct`, { scope: "use-key", slot: 1 });

  assert.equal(status, 200);
  const [command] = house.bridge.commands;
  assert.equal(command?.subfolder, "mayfly/instruction");
  assert.equal(command.device.device, "lamp-0");
  const sent = parseInstruction(utf8Decode(command.payload));
  assert.equal(sent.device, "projects/mayfly/locations/lab/registries/lamps/devices/lamp-0");
  assert.deepEqual(sent.order, { scope: "use-key", slot: 1 });
  assert.deepEqual([sent.iat, sent.exp], [startSeconds, startSeconds + 3_600]);
  assert.equal(body.number, sent.number);
  const details = await house.call("GET", mayflyLamp);
  assert.deepEqual(details.body.instruction, body);
});

test("numbers only grow, also when the clock stands still or steps back", async () => {
  const house = await openWithLamp();
  const numbers: number[] = [];

  for (const wall of [startSeconds, startSeconds, startSeconds - 86_400, startSeconds + 10]) {
    house.clock.wall = wall;
    const { body } = await house.call("POST", `${mayflyLamp}:instruct`, { scope: "use-key", slot: 1 });
    numbers.push(body.number);
  }

  assert.deepEqual(numbers, [startSeconds, startSeconds + 1, startSeconds + 2, startSeconds + 10]);
});

test("a key is named by its slot where the registry knows it, else by its id", async () => {
  const house = await openWithLamp();
  const { body } = await house.call("GET", `${mayflyLamp}/keys`);
  const [, second] = body.keys;

  await house.call("POST", `${mayflyLamp}:instruct`, { scope: "use-key", keyId: second.keyId });
  await house.call("POST", `${mayflyLamp}:instruct`, {
    scope: "use-key",
    keyId: "spare",
    campaign: "spring",
  });

  const [bySlot, byId] = house.bridge.commands.map(({ payload }) => parseInstruction(utf8Decode(payload)));
  assert.deepEqual(bySlot?.order, { scope: "use-key", slot: 1 });
  assert.deepEqual([byId?.order, byId?.campaign], [{ scope: "use-key", key: "spare" }, "spring"]);
});

test("a device is not sent to a key the registry would refuse", async () => {
  const house = await openWithLamp();
  await house.call("PATCH", `${mayflyLamp}/keys/spare`, { state: "retired" });

  for (const [order, says] of [
    [{ scope: "use-key", slot: 7 }, /no key on record with slot 7/],
    [{ scope: "use-key", keyId: "spare" }, /is retired/],
    [{ scope: "offer-key", slot: 2 }, /takes no key offers/],
  ] as const) {
    const { status, body } = await house.call("POST", `${mayflyLamp}:instruct`, order);
    assert.equal(status, 400);
    assert.equal(body.error.status, "FAILED_PRECONDITION");
    assert.match(body.error.message, says);
  }
  assert.deepEqual(house.bridge.commands, []);
});

test("a request that is no instruction is refused by field", async () => {
  const house = await openWithLamp();

  for (const order of [
    {},
    { scope: "use-key" },
    { scope: "use-key", slot: 1, keyId: "spare" },
    { scope: "offer-key", keyId: "spare" },
    { scope: "dance", slot: 1 },
    { scope: "use-key", slot: 255 },
    { scope: "use-key", keyId: "a b" },
    { scope: "use-key", slot: 1, lifetimeSeconds: 0 },
    { scope: "use-key", slot: 1, lifetimeSeconds: 7_776_001 },
    { scope: "use-key", slot: 1, campaign: "c".repeat(65) },
    { scope: "use-key", slot: 1, more: true },
  ]) {
    const { status, body } = await house.call("POST", `${mayflyLamp}:instruct`, order);
    assert.equal(status, 400, JSON.stringify(order));
    assert.equal(body.error.status, "INVALID_ARGUMENT");
  }
});

test("a device that cannot be reached is told so, and its number is not used again", async () => {
  const house = await openWithLamp();
  house.bridge.outcome = "not_connected";

  const first = await house.call("POST", `${mayflyLamp}:instruct`, { scope: "use-key", slot: 1 });
  house.bridge.outcome = "delivered";
  const second = await house.call("POST", `${mayflyLamp}:instruct`, { scope: "use-key", slot: 1 });

  assert.equal(first.body.error.status, "FAILED_PRECONDITION");
  assert.equal(second.body.number, startSeconds + 1);
});

test("who may send application commands cannot instruct a device", async () => {
  const house = await openWithLamp();
  const binaryData = Buffer.from("{}").toString("base64");

  for (const subfolder of ["mayfly", "mayfly/instruction", "mayfly/anything"]) {
    const { status, body } = await house.call("POST", `${lamp}:sendCommandToDevice`, {
      binaryData,
      subfolder,
    });
    assert.equal(status, 400, subfolder);
    assert.equal(body.error.status, "INVALID_ARGUMENT");
  }
  const other = await house.call("POST", `${lamp}:sendCommandToDevice`, {
    binaryData,
    subfolder: "mayflower",
  });

  assert.equal(other.status, 200);
  assert.equal(house.bridge.commands.length, 1);
});

test("a device's chip is put on record, shown and cleared; what is no serial number or key is refused", async () => {
  const house = await openWithLamp();
  const attestation = { chipSerial: "01237a1b4d2e3c91ee", slot: 1, key: makePem() };

  const set = await house.call("PATCH", mayflyLamp, { attestation });
  assert.deepEqual(set.body.attestation, attestation);
  for (const wrong of [
    { ...attestation, chipSerial: "01237A1B4D2E3C91EE" },
    { ...attestation, slot: 16 },
    { ...attestation, key: "no key" },
    {},
  ]) {
    const { status } = await house.call("PATCH", mayflyLamp, { attestation: wrong });
    assert.equal(status, 400, JSON.stringify(wrong));
  }
  const cleared = await house.call("PATCH", mayflyLamp, { attestation: null });

  assert.equal(cleared.status, 200);
  assert.ok(!("attestation" in cleared.body));
});
