import assert from "node:assert/strict";
import { test } from "node:test";
import { attempt } from "../../test/contract/registry-store.contract.ts";
import type { AttemptRecord } from "./authentication-record.ts";
import { estimateClockOffset } from "./clock-offset.ts";

/** A token of its own, `n` hours in. */
const token = (n: number, offsetSeconds: number, change: Partial<AttemptRecord> = {}) =>
  attempt(n * 3_600_000, { iat: n * 3_600, exp: n * 3_600 + 3_600, offsetSeconds, ...change });

test("the middle of the newest three tokens says how far the clock is off", () => {
  const records = [token(1, 900), token(2, -7_500), token(4, -7_502), token(3, -60)];

  assert.deepEqual(estimateClockOffset(records), {
    offsetSeconds: -7_500,
    samples: 3,
    asOfMs: 4 * 3_600_000,
  });
});

test("of two tokens the one that waited less is believed", () => {
  assert.equal(estimateClockOffset([token(1, -300), token(2, 1)])?.offsetSeconds, 1);
  assert.equal(estimateClockOffset([token(1, 1), token(2, -300)])?.offsetSeconds, 1);
});

test("nothing is said where nothing authentic and new was seen", () => {
  const silent = [
    token(1, -7_500, { authenticity: "unauthenticated" }),
    token(2, -7_500, { authenticity: "unchecked" }),
    token(3, -7_500, { isFirstSeen: false }),
    token(4, -7_500, { outcome: "key_revoked" }),
    token(5, -7_500, { outcome: "key_retired" }),
  ];

  assert.equal(estimateClockOffset(silent), undefined);
  assert.equal(estimateClockOffset([]), undefined);
});

test("a token that an older record knows is not new, whatever a bridge that was restarted thought", () => {
  const first = token(1, 0);
  const again = token(1, -3_000, { arrivalMs: first.arrivalMs + 3_000_000 });

  assert.deepEqual(estimateClockOffset([again, first])?.offsetSeconds, 0);
});
