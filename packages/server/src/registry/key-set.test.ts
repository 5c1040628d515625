import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RegistryError } from "./error.ts";
import {
  addKey,
  changeKey,
  isVerifyingState,
  KEYS_ON_RECORD_MAX,
  type KeyInput,
  replaceVerifyingKeys,
  VERIFYING_KEYS_MAX,
} from "./key-set.ts";
import type { KeyRecord } from "./model.ts";

const nowMs = 1_700_000_000_000;

function input(name: string, more: Partial<KeyInput> = {}): KeyInput {
  return { format: "ES256_PEM", pem: `pem of ${name}`, fingerprint: name.padEnd(64, "0"), ...more };
}

function record(name: string, state: KeyRecord["state"], more: Partial<KeyRecord> = {}): KeyRecord {
  const { format, pem, fingerprint } = input(name);
  return { keyId: name, state, format, pem, fingerprint, createdMs: nowMs, ...more };
}

function refuses(run: () => unknown, code: RegistryError["code"]): void {
  assert.throws(run, (error) => error instanceof RegistryError && error.code === code);
}

test("keys that are not listed are retired and stay on record", () => {
  const next = replaceVerifyingKeys([record("a", "active"), record("b", "retiring")], [input("c")], nowMs);

  assert.deepEqual(
    next.map((key) => [key.fingerprint[0], key.state]),
    [
      ["a", "retired"],
      ["b", "retired"],
      ["c", "active"],
    ],
  );
});

test("an echo leaves a pending key pending and a retiring one its date", () => {
  const keys = [record("a", "pending"), record("b", "retiring", { expiresAtSeconds: 1_800_000_000 })];

  const next = replaceVerifyingKeys(keys, [input("a"), input("b")], nowMs);

  assert.deepEqual(next, keys);
});

test("a retired key that is listed again is active under its old keyId and slot", () => {
  const next = replaceVerifyingKeys([record("a", "retired", { slot: 2 })], [input("a")], nowMs);

  assert.deepEqual(next, [record("a", "active", { slot: 2 })]);
});

test("a revoked key is refused wherever it comes from", () => {
  const keys = [record("a", "revoked")];

  refuses(() => replaceVerifyingKeys(keys, [input("a")], nowMs), "precondition_failed");
  refuses(() => addKey(keys, input("a"), nowMs), "precondition_failed");
  for (const state of ["active", "retiring", "retired"] as const) {
    refuses(() => changeKey(keys, "a", { state, expiresAtSeconds: 1 }), "precondition_failed");
  }
});

test("three keys may verify, a fourth may not", () => {
  const three = ["a", "b", "c"].map((name) => record(name, "active"));

  refuses(() => addKey(three, input("d"), nowMs), "precondition_failed");
  refuses(
    () =>
      replaceVerifyingKeys(
        [],
        ["a", "b", "c", "d"].map((name) => input(name)),
        nowMs,
      ),
    "argument_invalid",
  );
  refuses(
    () => changeKey([...three, record("d", "retired")], "d", { state: "active" }),
    "precondition_failed",
  );
});

test("the oldest retired key makes room for the twenty-first; without one there is none", () => {
  const retired = Array.from({ length: KEYS_ON_RECORD_MAX }, (_, i) =>
    record(`k${i}x`, "retired", { createdMs: nowMs - i }),
  );
  const revoked = retired.map((key): KeyRecord => ({ ...key, state: "revoked" }));

  const { keys } = addKey(retired, input("new"), nowMs);

  assert.equal(keys.length, KEYS_ON_RECORD_MAX);
  assert.ok(!keys.some((key) => key.keyId === "k19x"));
  refuses(() => addKey(revoked, input("new"), nowMs), "precondition_failed");
});

test("no list and no change leaves a retiring key without its date", () => {
  const keys = [record("a", "active"), record("b", "retiring", { expiresAtSeconds: 1_800_000_000 })];

  const listed = replaceVerifyingKeys(
    keys,
    [input("a"), input("b", { expiresAtSeconds: 1_700_000_000 })],
    nowMs,
  );

  assert.deepEqual(
    listed.map(({ state, expiresAtSeconds }) => [state, expiresAtSeconds]),
    [
      ["active", undefined],
      ["retiring", 1_700_000_000],
    ],
  );
  for (const [keyId, change] of [
    ["a", { state: "retiring" }],
    ["b", { expiresAtSeconds: null }],
    ["b", { state: "retiring", expiresAtSeconds: null }],
  ] as const) {
    refuses(() => changeKey(keys, keyId, change), "argument_invalid");
  }
});

test("a pending key is not retiring at once, and an active one not pending again", () => {
  refuses(
    () => changeKey([record("a", "pending")], "a", { state: "retiring", expiresAtSeconds: 1 }),
    "precondition_failed",
  );
  refuses(() => changeKey([record("a", "active")], "b", { state: "retired" }), "not_found");
});

test("whatever is done to a device's keys, at most three verify, twenty are kept and none comes back from revoked", () => {
  const names = fc.constantFrom("a", "b", "c", "d", "e", "f");
  const states = fc.constantFrom(
    "active" as const,
    "retiring" as const,
    "retired" as const,
    "revoked" as const,
  );
  const steps = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant("replace" as const), list: fc.array(names, { maxLength: 4 }) }),
      fc.record({
        kind: fc.constant("add" as const),
        name: names,
        state: fc.constantFrom("pending" as const, "active" as const),
      }),
      fc.record({ kind: fc.constant("change" as const), name: names, state: states }),
    ),
    { maxLength: 40 },
  );

  fc.assert(
    fc.property(steps, (taken) => {
      let keys: readonly KeyRecord[] = [];
      const revoked = new Set<string>();
      for (const step of taken) {
        try {
          if (step.kind === "replace")
            keys = replaceVerifyingKeys(
              keys,
              step.list.map((name) => input(name)),
              nowMs,
            );
          if (step.kind === "add") ({ keys } = addKey(keys, input(step.name, { state: step.state }), nowMs));
          if (step.kind === "change") {
            ({ keys } = changeKey(keys, step.name.padEnd(16, "0"), {
              state: step.state,
              expiresAtSeconds: 2_000_000_000,
            }));
          }
        } catch (error) {
          assert.ok(error instanceof RegistryError);
        }
        for (const key of keys) if (key.state === "revoked") revoked.add(key.fingerprint);
        for (const fingerprint of revoked) {
          assert.equal(keys.find((key) => key.fingerprint === fingerprint)?.state, "revoked");
        }
        assert.ok(keys.filter((key) => isVerifyingState(key.state)).length <= VERIFYING_KEYS_MAX);
        assert.equal(new Set(keys.map((key) => key.fingerprint)).size, keys.length);
        assert.ok(keys.length <= KEYS_ON_RECORD_MAX);
      }
    }),
    { numRuns: 200 },
  );
});
