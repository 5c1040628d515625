/** How often a server may be asked. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PollLimit, pollMillisMax, pollMillisMin, startGapMillis, startPacketsMax } from "./poll-limit.ts";

test("a new server may be asked at once; then three times more, 2 s apart; then each 64 s", () => {
  const limit = new PollLimit();
  const gaps: number[] = [];
  let now = 0;

  assert.ok(limit.dueMillis <= 0);
  for (let packet = 0; packet < 6; packet++) {
    limit.sent(now);
    gaps.push(limit.dueMillis - now);
    now = limit.dueMillis;
  }

  assert.deepEqual(gaps, [startGapMillis, startGapMillis, startGapMillis, ...Array(3).fill(pollMillisMin)]);
  assert.deepEqual([startPacketsMax, startGapMillis, pollMillisMin], [4, 2_000, 64_000]);
});

test("RATE at start ends the start, and doubles the 64 s", () => {
  const limit = new PollLimit();
  limit.sent(0);

  limit.kissed("slower");

  assert.equal(limit.dueMillis, 128_000);
});

test("RATE to somebody who came each 17 minutes doubles the 17 minutes", () => {
  const limit = new PollLimit();
  for (let packet = 0; packet < 6; packet++) limit.sent(packet * 1_024_000);

  limit.kissed("slower");

  assert.equal(limit.dueMillis, 5 * 1_024_000 + 2_048_000);
});

test("RATE upon RATE doubles up to a day and a half, and no further", () => {
  const limit = new PollLimit();
  limit.sent(0);

  for (let kiss = 0; kiss < 50; kiss++) limit.kissed("slower");

  assert.equal(limit.dueMillis, pollMillisMax);
  assert.ok(pollMillisMax < 24 * 86_400_000, "a timer can wait so long on a microcontroller");
});

test("a server that said stop is never due again", () => {
  const limit = new PollLimit();
  limit.sent(0);

  limit.kissed("stop");
  limit.kissed("slower");

  assert.equal(limit.dueMillis, Number.POSITIVE_INFINITY);
  assert.ok(limit.isStopped);
});
