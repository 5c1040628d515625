import assert from "node:assert/strict";
import { test } from "node:test";
import { timeWords, waitingWords } from "./time-words.ts";

test("a clock that is good is told in a line: state, since when, how sure, from what, and its chip", () => {
  const words = timeWords({
    trust: "synced",
    forSeconds: 7_300,
    now: 1_800_000_000,
    uncertaintySeconds: 0.0231,
    source: "ntp-agreed",
    basis: "majority",
    floorSeconds: 1_799_999_000,
    rtc: { state: "good", driftPpm: 1.234, driftBoundPpm: 2 },
    storeWrites: 3,
  });

  assert.equal(
    words,
    "synced for 2 h, ± 24 ms, from servers that agree; the clock chip is good, drift 1.23 ± 2.00 ppm",
  );
});

test("a clock that waits says why, and with no answer at all what is wrong with its chip", () => {
  assert.match(
    timeWords({
      trust: "untrusted",
      forSeconds: 90,
      waitingBecause: "needs_signature",
      floorSeconds: 0,
      storeWrites: 0,
    }),
    /^untrusted for 90 s; waits: servers agree on a time more than a day after/,
  );
  assert.match(
    waitingWords("no_answer", "unusable"),
    /^no source of time has answered yet, and the clock chip cannot/,
  );
});
