import assert from "node:assert/strict";
import { test } from "node:test";
import { paceFailedMillisMax, paceMillisMax, paceMillisMin, SourcePace } from "./source-pace.ts";

/** The waits between so many questions of the same outcome. */
function waits(count: number, outcome: "answered" | "failed"): readonly number[] {
  const pace = new SourcePace();
  return Array.from({ length: count }, () => {
    pace.asked(0);
    pace[outcome](0);
    return pace.dueMillis / 1000;
  });
}

test("a source that answers is asked at doubled intervals up to 68 minutes, one that fails up to 17", () => {
  assert.deepEqual(waits(8, "answered"), [64, 128, 256, 512, 1_024, 2_048, 4_096, 4_096]);
  assert.deepEqual(waits(6, "failed"), [64, 128, 256, 512, 1_024, 1_024]);
  assert.deepEqual([paceMillisMax, paceFailedMillisMax], [4_096_000, 1_024_000]);
});

test("a source that answers again, or fails, begins anew", () => {
  const pace = new SourcePace();
  for (let round = 0; round < 5; round += 1) pace.answered(0);

  pace.failed(0);
  assert.equal(pace.dueMillis, paceMillisMin);
  pace.answered(0);
  assert.equal(pace.dueMillis, paceMillisMin);
});

test("haste does not ask sooner than 64 s after the last question, nor while one is open", () => {
  const pace = new SourcePace();
  pace.asked(1_000);
  pace.hurry(2_000);
  assert.equal(pace.dueMillis, Number.POSITIVE_INFINITY);

  for (let round = 0; round < 5; round += 1) pace.answered(1_500);
  pace.hurry(2_000);
  assert.equal(pace.dueMillis, 1_000 + paceMillisMin);
  pace.hurry(900_000);
  assert.equal(pace.dueMillis, 1_000 + paceMillisMin);
});

test("a rest is kept where the source answered", () => {
  const pace = new SourcePace();
  pace.asked(0);
  pace.answered(0, 86_400_000);

  assert.equal(pace.dueMillis, 86_400_000);
});
