import assert from "node:assert/strict";
import test from "node:test";
import { mayflyZone } from "../../test/provisioning-data.ts";
import { mayflyConfigOrder, mayflyImmutableConfigOrder } from "./compose-config-zone.ts";
import { type ConfigZone, decodeConfigZone } from "./config-zone.ts";
import {
  type ChipObservation,
  chipSerialText,
  forgetContents,
  freshMemory,
  type ProvisioningPlan,
  planProvisioning,
  rememberStep,
  type StationMemory,
} from "./provisioning-plan.ts";

const open = decodeConfigZone(mayflyZone);
const configLocked = { ...open, lockConfig: 0 };
const bothLocked = { ...configLocked, lockValue: 0 };
const plan: ProvisioningPlan = { order: mayflyConfigOrder, lockSlots: [], addressChangeWanted: false };
const serial = chipSerialText(open.serialNumber);
const fresh = freshMemory(serial);
const allKeys = new Set([0, 1, 2, 3]);
const contents = { crc: 0x1234, slots: [10] };

const chip = (
  config: ConfigZone,
  keysPresent: ReadonlySet<number> | undefined = allKeys,
): ChipObservation => ({
  config,
  keysPresent,
});
const step = (
  observed: ChipObservation,
  memory: StationMemory = fresh,
  changes: Partial<ProvisioningPlan> = {},
) => planProvisioning(observed, { ...plan, ...changes }, memory);

test("a serial number is shown as 18 lower-case digits", () => {
  assert.equal(serial, "01237a1b4d2e3c91ee");
});

test("an open chip configured otherwise is written", () => {
  const other = { ...open, volatileKeyPermission: 7 };

  assert.deepEqual(step(chip(other, undefined)), { kind: "write-config", zone: open });
});

test("an open chip configured as planned is locked", () => {
  assert.deepEqual(step(chip(open, undefined)), { kind: "lock-config" });
});

test("a chip locked with another configuration is refused, field by field", () => {
  const refusal = step(chip(configLocked), fresh, { order: mayflyImmutableConfigOrder });

  assert.equal(refusal.kind, "refuse");
  assert.equal(refusal.kind === "refuse" ? refusal.because.length : 0, 7);
});

test("an open configuration below a locked data zone is refused", () => {
  assert.equal(step(chip({ ...open, lockValue: 0 }, undefined)).kind, "refuse");
});

test("keys are made one by one, also where the chip holds keys that nobody remembers making", () => {
  const made: number[] = [];
  let memory = fresh;
  for (let next = step(chip(configLocked), memory); next.kind === "create-key"; ) {
    made.push(next.slot);
    memory = rememberStep(memory, next);
    next = step(chip(configLocked), memory);
  }

  assert.deepEqual(made, [0, 1, 2, 3]);
  assert.deepEqual(step(chip(configLocked), memory), { kind: "write-contents" });
});

test("contents are locked once they are written, and written again once they are forgotten", () => {
  const keyed = { ...fresh, keysCreated: [0, 1, 2, 3] };
  const written = rememberStep(keyed, { kind: "write-contents" }, contents);

  assert.deepEqual(step(chip(configLocked), written), { kind: "lock-data" });
  assert.deepEqual(step(chip(configLocked), forgetContents(written)), { kind: "write-contents" });
});

test("a new key makes contents and proofs of before stale", () => {
  const before: StationMemory = {
    chipSerial: serial,
    keysCreated: [0, 2],
    contents,
    contentsChecked: true,
    keysProved: [0, 2],
  };

  assert.deepEqual(rememberStep(before, { kind: "create-key", slot: 2 }), {
    chipSerial: serial,
    keysCreated: [0, 2],
    contentsChecked: false,
    keysProved: [0],
  });
});

test("the memory of another chip counts for nothing", () => {
  const other = { ...freshMemory("0123ffffffffffffee"), keysCreated: [0, 1, 2, 3], contents };

  assert.deepEqual(step(chip(configLocked), other), { kind: "create-key", slot: 0 });
});

test("a locked chip has its contents checked, its keys proved, its slots locked, in this order", () => {
  const kinds: string[] = [];
  let memory = fresh;
  let config: ConfigZone = bothLocked;
  for (let i = 0; i < 20; i++) {
    const next = step(chip(config), memory, { lockSlots: [0, 10] });
    kinds.push("slot" in next ? `${next.kind} ${next.slot}` : next.kind);
    if (next.kind === "done") break;
    if (next.kind === "lock-slot")
      config = { ...config, slotsUnlocked: config.slotsUnlocked & ~(1 << next.slot) };
    memory = rememberStep(memory, next);
  }

  assert.deepEqual(kinds, [
    "check-contents",
    "prove-key 0",
    "prove-key 1",
    "prove-key 2",
    "prove-key 3",
    "lock-slot 0",
    "lock-slot 10",
    "done",
  ]);
});

test("the attestation slot is proved by attestation, the others by possession", () => {
  const checked = { ...fresh, contentsChecked: true };

  assert.deepEqual(step(chip(bothLocked), checked), { kind: "prove-key", slot: 0, by: "possession" });
  assert.deepEqual(step(chip(bothLocked), { ...checked, keysProved: [0] }), {
    kind: "prove-key",
    slot: 1,
    by: "attestation",
  });
});

test("a locked chip without a key gets one where the slot allows it, and is refused where not", () => {
  assert.deepEqual(step(chip(bothLocked, new Set([0, 1, 3]))), { kind: "create-key", slot: 2 });
  assert.deepEqual(step(chip(bothLocked, new Set([0, 2, 3]))), {
    kind: "refuse",
    because: ["Slot 1 holds no key, and none can be made any more."],
  });
  assert.equal(step(chip({ ...bothLocked, slotsUnlocked: 0xfffb }, new Set([0, 1, 3]))).kind, "refuse");
});

test("a counter that has counted on a locked chip is no reason to refuse it", () => {
  const counted = { ...bothLocked, counters: [{ kind: "value", value: 7 }, open.counters[1]] as const };

  assert.equal(step(chip(counted)).kind, "check-contents");
});

test("a memory survives its way through JSON", () => {
  const memory = rememberStep(fresh, { kind: "write-contents" }, contents);

  assert.deepEqual(JSON.parse(JSON.stringify(memory)), memory);
});
