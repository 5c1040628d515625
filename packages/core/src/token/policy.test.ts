import assert from "node:assert/strict";
import test from "node:test";
import {
  checkPolicy,
  PolicyError,
  type PolicyErrorCode,
  policyPresets,
  type RegistryPolicy,
} from "./policy.ts";

function assertRefused(change: object, code: PolicyErrorCode, field: string): void {
  assert.throws(
    () => checkPolicy({ ...policyPresets.strict, ...change }),
    (error) => error instanceof PolicyError && error.code === code && error.facts["field"] === field,
  );
}

test("both presets are policies", () => {
  assert.deepEqual(checkPolicy(policyPresets.strict), policyPresets.strict);
  assert.deepEqual(checkPolicy(policyPresets["iot-core"]), policyPresets["iot-core"]);
});

test("strict forgives 90 s of future and nothing else", () => {
  const { strict } = policyPresets;

  assert.deepEqual([strict.skewSeconds, strict.graceSeconds, strict.lifetimeMaxSeconds], [90, 0, 86_400]);
  assert.deepEqual(
    [strict.digitStringTimes, strict.looseBase64, strict.honourNotBefore],
    [false, false, true],
  );
});

test("iot-core forgives what Cloud IoT Core forgave: 10 minutes, 24 h and 10 minutes, string times, loose base64", () => {
  const policy = policyPresets["iot-core"];

  assert.deepEqual([policy.skewSeconds, policy.graceSeconds, policy.lifetimeMaxSeconds], [600, 600, 87_000]);
  assert.deepEqual(
    [policy.digitStringTimes, policy.looseBase64, policy.honourNotBefore],
    [true, true, false],
  );
});

const bounds = [
  ["skewSeconds", 0, 600],
  ["graceSeconds", 0, 600],
  ["lifetimeMaxSeconds", 1, 87_000],
  ["connectionMaxSeconds", 60, 31_536_000],
  ["idleMaxSeconds", 10, 86_400],
] as const satisfies readonly (readonly [keyof RegistryPolicy, number, number])[];

for (const [field, min, max] of bounds) {
  test(`${field} may be ${min} to ${max}`, () => {
    for (const value of [min, max])
      assert.equal(checkPolicy({ ...policyPresets.strict, [field]: value })[field], value);
    for (const value of [min - 1, max + 1, 1e300])
      assertRefused({ [field]: value }, "policy_out_of_range", field);
    for (const value of [min + 0.5, Number.NaN, Number.POSITIVE_INFINITY, `${min}`, null, undefined]) {
      assertRefused({ [field]: value }, "policy_malformed", field);
    }
  });
}

test("a field that is missing, of another type or unknown is named", () => {
  const { subject: _, ...withoutSubject } = policyPresets.strict;

  assert.throws(() => checkPolicy(withoutSubject), PolicyError);
  assertRefused({ subject: "never" }, "policy_malformed", "subject");
  assertRefused({ looseBase64: "true" }, "policy_malformed", "looseBase64");
  assertRefused({ pendingKeys: true }, "policy_malformed", "pendingKeys");
  assertRefused({ leewaySeconds: 5 }, "policy_malformed", "leewaySeconds");
  assertRefused({ toString: 5 }, "policy_malformed", "toString");
});
