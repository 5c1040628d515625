/** The filter: which of a server's answers counts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ClockFilter } from "./clock-filter.ts";

const start = 1_800_000_000;

/** A sample of a true clock, `atSeconds` after the start. */
function sample(atSeconds: number, boundSeconds: number, errorSeconds = 0) {
  return { atMillis: atSeconds * 1000, seconds: start + atSeconds + errorSeconds, boundSeconds };
}

test("an empty filter knows nothing", () => {
  assert.equal(new ClockFilter().best(0), undefined);
});

test("of several answers the one with the smallest bound counts, carried on to now", () => {
  const filter = new ClockFilter();
  for (const bound of [0.09, 0.01, 0.05]) filter.add(sample(0, bound));

  const best = filter.best(1_000);

  assert.equal(best?.atMillis, 1_000);
  assert.equal(best.seconds, start + 1);
  assert.ok(Math.abs(best.boundSeconds - (0.01 + 15e-6)) < 1e-12);
});

test("a lucky answer grows old by 15 ppm, and gives way to a new one that is more exact by then", () => {
  const filter = new ClockFilter();
  filter.add(sample(0, 0.01));
  filter.add(sample(3_600, 0.05, 0.02));

  const [soon, later] = [filter.best(3_600_000), filter.best(3_600_000 * 10)];

  // 10 ms and 54 ms of age are more than 50 ms; nothing makes the old one better again.
  assert.equal(soon?.boundSeconds, 0.05);
  assert.equal(later?.seconds, start + 36_000 + 0.02);
});

test("the ninth answer pushes out the first", () => {
  const filter = new ClockFilter();
  filter.add(sample(0, 0.001));
  for (let at = 1; at <= 7; at++) filter.add(sample(at, 0.1));
  const withFirst = filter.best(7_000)?.boundSeconds ?? 0;

  filter.add(sample(8, 0.1));

  assert.ok(withFirst < 0.002);
  assert.equal(filter.best(8_000)?.boundSeconds, 0.1);
});

test("an answer that contradicts older ones is believed of now, and they are forgotten", () => {
  const filter = new ClockFilter();
  for (let at = 0; at < 3; at++) filter.add(sample(at, 0.01));

  // The machine slept for an hour, and its monotonic clock with it.
  filter.add(sample(10, 0.1, 3_600));

  assert.deepEqual(filter.best(10_000), sample(10, 0.1, 3_600));
});

test("what does not contradict the newest is kept", () => {
  const filter = new ClockFilter();
  filter.add(sample(0, 0.02));
  filter.add(sample(1, 0.3));
  filter.add(sample(2, 5, 2));
  filter.add(sample(3, 0.1, 0.05));

  assert.ok((filter.best(3_000)?.boundSeconds ?? 1) < 0.021);
});
