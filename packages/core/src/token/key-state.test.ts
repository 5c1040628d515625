import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  type CandidateKey,
  findKeyRefusal,
  type KeyState,
  keysToTry,
  mayVerify,
  refusedKeysTriedMax,
  verifyingKeysMax,
} from "./key-state.ts";

const verify = { pendingKeys: "verify" } as const;
const refuse = { pendingKeys: "refuse" } as const;
const now = 1_700_000_000;

function key(keyId: string, state: KeyState = "active", more: Partial<CandidateKey> = {}): CandidateKey {
  return { keyId, alg: "ES256", state, handle: undefined, ...more };
}

function order(keys: readonly CandidateKey[], kid?: string, lastKeyId?: string): readonly string[] {
  return keysToTry(keys, { alg: "ES256", kid, lastKeyId, now, policy: verify }).verifying.map((k) => k.keyId);
}

test("pending, active and retiring keys verify, retired and revoked ones do not", () => {
  const states: readonly KeyState[] = ["pending", "active", "retiring", "retired", "revoked"];

  assert.deepEqual(
    states.filter((state) => mayVerify(state, verify)),
    ["pending", "active", "retiring"],
  );
  assert.deepEqual(
    states.filter((state) => mayVerify(state, refuse)),
    ["active", "retiring"],
  );
});

test("a key verifies until its date and not at it", () => {
  for (const state of ["pending", "active", "retiring"] as const) {
    assert.equal(findKeyRefusal({ state, expiresAtSeconds: now + 1 }, verify, now), undefined);
    assert.equal(findKeyRefusal({ state, expiresAtSeconds: now }, verify, now), "key_expired");
  }
});

test("a retiring key without a date verifies nothing, under any policy", () => {
  for (const policy of [verify, refuse]) {
    assert.equal(findKeyRefusal({ state: "retiring" }, policy, now), "key_retired");
  }
});

test("retired and revoked are said before expired", () => {
  assert.equal(findKeyRefusal({ state: "retired", expiresAtSeconds: now - 1 }, verify, now), "key_retired");
  assert.equal(findKeyRefusal({ state: "revoked", expiresAtSeconds: now - 1 }, verify, now), "key_revoked");
  assert.equal(findKeyRefusal({ state: "pending" }, refuse, now), "key_pending");
});

test("the key the token names is tried first, then the last that verified, then as on record", () => {
  const keys = [key("a"), key("b"), key("c")];

  assert.deepEqual(order(keys), ["a", "b", "c"]);
  assert.deepEqual(order(keys, undefined, "b"), ["b", "a", "c"]);
  assert.deepEqual(order(keys, "c", "b"), ["c", "b", "a"]);
  assert.deepEqual(order(keys, "unknown"), ["a", "b", "c"]);
});

test("keys of another algorithm are never tried", () => {
  assert.deepEqual(order([key("r", "active", { alg: "RS256" }), key("e")]), ["e"]);
});

test("no more keys are tried than the maximum, however many are on record, and every right one is among the first", () => {
  const anyKey = fc.record({
    state: fc.constantFrom<KeyState>("pending", "active", "retiring", "retired", "revoked"),
    alg: fc.constantFrom<CandidateKey["alg"]>("ES256", "RS256"),
  });
  fc.assert(
    fc.property(fc.array(anyKey, { maxLength: 12 }), fc.nat(11), (given, named) => {
      const keys = given.map((k, i) => key(`k${i}`, k.state, { alg: k.alg, expiresAtSeconds: now + 1 }));

      const found = keysToTry(keys, {
        alg: "ES256",
        kid: `k${named}`,
        lastKeyId: undefined,
        now,
        policy: verify,
      });

      assert.ok(found.verifying.length <= verifyingKeysMax);
      assert.ok(found.refused.length <= refusedKeysTriedMax);
      const mine = keys.find((k) => k.keyId === `k${named}` && k.alg === "ES256");
      if (mine !== undefined && mayVerify(mine.state, verify)) assert.equal(found.verifying[0], mine);
      assert.ok([...found.verifying, ...found.refused.map((r) => r.key)].every((k) => k.alg === "ES256"));
    }),
  );
});

test("revoked keys are tried before other keys that may not verify", () => {
  const keys = [key("a", "retired"), key("b", "retired"), key("c", "retired"), key("d", "revoked")];

  const { refused } = keysToTry(keys, { alg: "ES256", kid: "b", lastKeyId: undefined, now, policy: verify });

  assert.deepEqual(
    refused.map((r) => r.key.keyId),
    ["d", "b", "a"],
  );
});
