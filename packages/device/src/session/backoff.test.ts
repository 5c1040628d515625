import assert from "node:assert/strict";
import { test } from "node:test";
import type { Random } from "@mayfly/core";
import { Backoff, type BackoffCause, backoffTable, stableMillis } from "./backoff.ts";

const highest: Random = { fill: (bytes) => bytes.fill(0xff) };
const lowest: Random = { fill: (bytes) => bytes.fill(0) };
const causes = Object.keys(backoffTable) as BackoffCause[];

const waits = (backoff: Backoff, cause: BackoffCause, count: number): number[] =>
  Array.from({ length: count }, () => Math.round(backoff.next(cause) / 1000));

test("the ceiling doubles from 5 s to 64 s while the network is away, and stays there", () => {
  const backoff = new Backoff(highest);

  assert.deepEqual(waits(backoff, "network", 7), [5, 10, 20, 40, 64, 64, 64]);
});

for (const cause of causes) {
  test(`${cause}: no wait is below its least or above its ceiling, however many there were`, () => {
    const { leastMillis, firstMillis, mostMillis } = backoffTable[cause];
    const [low, high] = [new Backoff(lowest), new Backoff(highest)];

    const drawn = Array.from({ length: 1_000 }, () => [low.next(cause), high.next(cause)] as const);

    for (const [least, most] of drawn) assert.ok(least === leastMillis && most < mostMillis);
    assert.ok((drawn[0]?.[1] ?? 0) <= firstMillis);
    assert.equal(Math.round(drawn.at(-1)?.[1] ?? 0), mostMillis);
  });
}

test("a bridge that wants to be left alone is, and the draw comes on top; at most ten minutes are taken at its word", () => {
  const wait = (random: Random, retryAfterMillis: number): number =>
    Math.round(new Backoff(random).next("busy", retryAfterMillis) / 1000);

  assert.deepEqual([wait(lowest, 30_000), wait(highest, 30_000)], [31, 35]);
  assert.equal(wait(lowest, 1e9), 601);
});

test("causes count apart: an hour without a network makes the first refusal wait no longer", () => {
  const backoff = new Backoff(highest);
  waits(backoff, "network", 50);

  assert.deepEqual(waits(backoff, "refused", 2), [4, 8]);
});

test("causes that take turns all grow", () => {
  const backoff = new Backoff(highest);

  const grown = [1, 2, 3].map(() => [...waits(backoff, "busy", 1), ...waits(backoff, "kicked", 1)]);

  assert.deepEqual(grown, [
    [5, 5],
    [10, 10],
    [20, 20],
  ]);
});

test("a connection that held for a while starts every count anew; a short one starts none", () => {
  const backoff = new Backoff(highest);
  for (const cause of causes) waits(backoff, cause, 3);

  backoff.connectionEnded(stableMillis - 1);
  const afterShort = waits(backoff, "network", 1);
  backoff.connectionEnded(stableMillis);

  assert.deepEqual(afterShort, [40]);
  assert.deepEqual(
    causes.map((cause) => waits(backoff, cause, 1)),
    causes.map((cause) => [backoffTable[cause].firstMillis / 1000]),
  );
});
