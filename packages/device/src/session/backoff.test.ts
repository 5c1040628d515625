import assert from "node:assert/strict";
import { test } from "node:test";
import type { Random } from "@mayfly/core";
import {
  Backoff,
  backoffMillisMax,
  backoffMillisMin,
  stableMillis,
  waitMillisMax,
  waitMillisMin,
} from "./backoff.ts";

const highest: Random = { fill: (bytes) => bytes.fill(0xff) };
const lowest: Random = { fill: (bytes) => bytes.fill(0) };

test("the ceiling doubles from 1 s to 64 s and stays there", () => {
  const backoff = new Backoff(highest);

  const waits = Array.from({ length: 9 }, () => Math.round(backoff.next() / 1000));

  assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
  assert.ok(backoff.next() <= backoffMillisMax);
});

test("the lowest draw still leaves a moment between two tries", () => {
  const backoff = new Backoff(lowest);

  const wait = backoff.next();

  assert.equal(wait, backoffMillisMin);
});

test("a connection that held for a while starts the count anew; a short one does not", () => {
  const backoff = new Backoff(highest);
  for (let i = 0; i < 4; i++) backoff.next();

  backoff.connectionEnded(stableMillis - 1);
  assert.equal(backoff.failures, 4);
  backoff.connectionEnded(stableMillis);

  assert.equal(backoff.failures, 0);
});

test("where trying again will not help soon the wait is 1 to 10 minutes", () => {
  const least = new Backoff(lowest).nextSeldom();
  const most = new Backoff(highest).nextSeldom();

  assert.equal(least, waitMillisMin);
  assert.ok(most > waitMillisMax - 1 && most <= waitMillisMax);
});
