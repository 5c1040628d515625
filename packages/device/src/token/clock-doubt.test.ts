import assert from "node:assert/strict";
import { test } from "node:test";
import type { Readiness } from "../ports.ts";
import { mayBeForTime } from "./clock-doubt.ts";

/** At the monotonic instant 10,000 ms our clock says 1,000,000 s, and may be wrong by 2 s. */
const ready: Readiness = { kind: "ready", now: 1_000_000, uncertaintySeconds: 2 };
const doubted = (serverTime: number): boolean =>
  mayBeForTime({ hint: { serverTime, sentMillis: 9_000, receivedMillis: 10_000 } }, ready, 10_000);

test("a bridge whose time is ours, by what we may be wrong by and by what the answer took, does not blame our clock", () => {
  // Written between 999,999 and 1,000,000 by our clock.
  assert.deepEqual([999_997, 1_000_002].map(doubted), [false, false]);
  assert.deepEqual([999_996.9, 1_000_002.1].map(doubted), [true, true]);
});

test("what is named, what is not told and what a clock that is not believed cannot judge may be for the time", () => {
  const hint = { serverTime: 1_000_000, sentMillis: 9_000, receivedMillis: 10_000 };

  assert.equal(mayBeForTime({ hint, refusedFor: "token_expired" }, ready, 10_000), true);
  assert.equal(mayBeForTime({}, ready, 10_000), true);
  assert.equal(mayBeForTime({ hint }, { kind: "waiting", because: "no source" }, 10_000), true);
});
