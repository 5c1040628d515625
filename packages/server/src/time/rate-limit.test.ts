import assert from "node:assert/strict";
import { test } from "node:test";
import { RateLimit } from "./rate-limit.ts";

function limitWith(change: Partial<ConstructorParameters<typeof RateLimit>[1]> = {}) {
  const time = { now: 0, monotonicMillis: () => time.now };
  const limit = new RateLimit(time, {
    source: { burst: 3, perSecond: 1 },
    all: { burst: 100, perSecond: 10 },
    sourcesMax: 4,
    ...change,
  });
  const taken = (address: string, times: number) =>
    Array.from({ length: times }, () => limit.take(address)).filter(Boolean).length;
  return { time, limit, taken };
}

test("a source has its burst at once, then its rate", () => {
  const { time, taken } = limitWith();

  const atOnce = taken("192.0.2.1", 10);
  time.now = 2_000;
  const later = taken("192.0.2.1", 10);

  assert.deepEqual([atOnce, later], [3, 2]);
});

test("a rest fills a source's bucket to its burst and no further", () => {
  const { time, taken } = limitWith();
  taken("192.0.2.1", 10);

  time.now = 3_600_000;

  assert.equal(taken("192.0.2.1", 10), 3);
});

test("what one source asks beyond its share takes nothing from the others", () => {
  const { taken } = limitWith({ all: { burst: 6, perSecond: 0 } });

  taken("192.0.2.1", 1_000);

  assert.equal(taken("192.0.2.2", 10), 3);
});

test("all sources together have the bucket of all", () => {
  const { time, taken } = limitWith({ all: { burst: 5, perSecond: 1 } });
  const flood = () =>
    Array.from({ length: 50 }, (_, at) => taken(`198.51.100.${at}`, 1)).filter((one) => one === 1).length;

  const atOnce = flood();
  time.now = 2_000;
  const later = flood();

  assert.deepEqual([atOnce, later], [5, 2]);
});

test("at most so many sources are remembered, and a flood of new ones still has the bucket of all only", () => {
  const { limit, taken } = limitWith({ all: { burst: 20, perSecond: 0 } });

  const answered = Array.from({ length: 1_000 }, (_, at) => taken(`2001:db8:0:${at.toString(16)}::1`, 1));

  assert.equal(limit.size, 4);
  assert.equal(
    answered.reduce((sum, one) => sum + one, 0),
    20,
  );
});

test("all addresses of one IPv6 /64 are one source", () => {
  const { taken } = limitWith();

  const answered = Array.from({ length: 50 }, (_, at) => taken(`2001:db8:1:2::${at.toString(16)}`, 1));

  assert.equal(
    answered.reduce((sum, one) => sum + one, 0),
    3,
  );
});
