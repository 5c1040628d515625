import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { renewalWindowOf } from "./renewal-window.ts";

const hour = {
  issuedAtSeconds: 1_700_000_000,
  expiresAtSeconds: 1_700_003_600,
  deadlineSeconds: 1_700_003_600,
};

test("a window of a token of an hour lies between its 50th and 55th minute and is a minute wide", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }), (numId) => {
      const { fromSeconds, untilSeconds } = renewalWindowOf({ ...hour, deviceNumId: String(numId) });

      assert.ok(fromSeconds >= hour.issuedAtSeconds + 3000);
      assert.ok(untilSeconds <= hour.issuedAtSeconds + 3300);
      assert.ok(untilSeconds - fromSeconds >= 59 && untilSeconds - fromSeconds <= 60);
    }),
  );
});

test("a device has the same place in every token's life", () => {
  const first = renewalWindowOf({ ...hour, deviceNumId: "42" });
  const later = renewalWindowOf({
    issuedAtSeconds: hour.issuedAtSeconds + 3000,
    expiresAtSeconds: hour.expiresAtSeconds + 3000,
    deadlineSeconds: hour.deadlineSeconds + 3000,
    deviceNumId: "42",
  });

  assert.equal(later.fromSeconds - first.fromSeconds, 3000);
});

test("a fleet numbered in turn is spread evenly: no tenth of the span holds more than 13 of 100 devices", () => {
  const tenths = new Array<number>(10).fill(0);
  const devices = 10_000;
  const span = 240; // From the first window's beginning to the last one's, in an hour.
  for (let i = 0; i < devices; i++) {
    const { fromSeconds } = renewalWindowOf({
      ...hour,
      deviceNumId: String(2_820_826_361_193_805_123n + BigInt(i)),
    });
    const tenth = Math.min(9, Math.floor(((fromSeconds - hour.issuedAtSeconds - 3000) / span) * 10));
    tenths[tenth] = (tenths[tenth] ?? 0) + 1;
  }

  assert.ok(Math.max(...tenths) <= devices * 0.13, String(tenths));
  assert.ok(Math.min(...tenths) >= devices * 0.07, String(tenths));
});

test("where the key ends before the token, so does the window", () => {
  const window = renewalWindowOf({ ...hour, deadlineSeconds: hour.issuedAtSeconds + 600, deviceNumId: "7" });

  assert.ok(window.untilSeconds < hour.issuedAtSeconds + 600);
});

test("grace does not make the window later", () => {
  const plain = renewalWindowOf({ ...hour, deviceNumId: "7" });
  const graced = renewalWindowOf({ ...hour, deadlineSeconds: hour.expiresAtSeconds + 600, deviceNumId: "7" });

  assert.deepEqual(graced, plain);
});
