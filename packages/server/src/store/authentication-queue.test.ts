import assert from "node:assert/strict";
import { test } from "node:test";
import { attempt, deviceRef } from "../../test/contract/registry-store.contract.ts";
import type { AuthenticationUpdate } from "../auth/authentication-record.ts";
import { AuthenticationQueue } from "./authentication-queue.ts";

function update(series: string, authenticity: "authentic" | "unchecked", ms = 1): AuthenticationUpdate {
  return { device: deviceRef("1"), series, record: attempt(ms, { authenticity }) };
}

test("a full line drops its oldest and counts it, and the other line loses nothing", () => {
  const queue = new AuthenticationQueue(2);
  queue.add(update("p", "authentic"));

  for (const series of ["u1", "u2", "u3", "u4"]) queue.add(update(series, "unchecked"));

  assert.equal(queue.dropped, 2);
  assert.deepEqual(
    queue.take(10).map(({ series }) => series),
    ["p", "u3", "u4"],
  );
});

test("what could not be written waits again, unless something newer of its series does", () => {
  const queue = new AuthenticationQueue(2);
  queue.add(update("a", "authentic", 1));
  queue.add(update("b", "authentic", 1));
  const taken = queue.take(10);
  queue.add(update("a", "authentic", 2));

  queue.giveBack(taken);

  const left = queue.take(10).map(({ series, record }) => [series, record.arrivalMs]);
  assert.deepEqual(left, [
    ["a", 2],
    ["b", 1],
  ]);
});

test("what comes back to a full line is dropped and counted", () => {
  const queue = new AuthenticationQueue(1);
  queue.add(update("a", "authentic"));
  const taken = queue.take(1);
  queue.add(update("b", "authentic"));

  queue.giveBack(taken);

  assert.deepEqual([queue.size, queue.dropped], [1, 1]);
});
