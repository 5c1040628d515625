import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareConfigs, decodeAppliedConfig, encodeAppliedConfig } from "./applied-config.ts";

const digestOf = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const at = (version: number | undefined, fill: number) =>
  version === undefined ? { digest: digestOf(fill) } : { version, digest: digestOf(fill) };

for (const [applied, next, change] of [
  [undefined, at(3, 1), "first"],
  [at(3, 1), at(3, 1), "same"],
  [at(3, 1), at(4, 2), "newer"],
  [at(3, 1), at(4, 1), "newer"],
  [at(3, 1), at(2, 2), "went_back"],
  [at(3, 1), at(2, 1), "went_back"],
  [at(3, 1), at(3, 2), "went_back"],
  [at(undefined, 1), at(undefined, 1), "same"],
  [at(undefined, 1), at(undefined, 2), "newer"],
  [at(3, 1), at(undefined, 1), "same"],
  [at(3, 1), at(undefined, 2), "newer"],
  [at(undefined, 1), at(9, 1), "same"],
] as const) {
  const name = (one: ReturnType<typeof at> | undefined): string =>
    one === undefined ? "none" : `${one.version ?? "no"} version, bytes ${one.digest[0]}`;
  test(`after ${name(applied)}, ${name(next)} is ${change}`, () => {
    assert.equal(compareConfigs(applied, next), change);
  });
}

test("what is stored is read back, and anything else is as good as nothing", () => {
  fc.assert(
    fc.property(
      fc.option(fc.maxSafeNat(), { nil: undefined }),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      (version, digest) => {
        const applied = version === undefined ? { digest } : { version, digest };

        assert.deepEqual(decodeAppliedConfig(encodeAppliedConfig(applied)), applied);
      },
    ),
  );
  const whole = encodeAppliedConfig(at(3, 1));
  assert.equal(decodeAppliedConfig(whole.slice(1)), undefined);
  assert.equal(decodeAppliedConfig(whole.with(0, 2)), undefined);
  assert.equal(decodeAppliedConfig(whole.with(1, 2)), undefined);
  assert.equal(decodeAppliedConfig(whole.with(2, 255)), undefined, "no whole number");
});
