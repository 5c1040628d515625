import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualTime } from "../../test/bridge-world.ts";
import { AcceptGate, acceptsBurst, acceptsPerSecond, acceptsWaitingMax } from "./accept-gate.ts";

function storm(connections: number) {
  const time = new VirtualTime();
  const gate = new AcceptGate({ clock: time, timers: time });
  const begun: number[] = [];
  const leaves = Array.from({ length: connections }, (_, i) => gate.enter(() => begun.push(i)));
  return { time, gate, begun, leaves };
}

test("a burst begins at once, the others in order at the steady rate", async () => {
  const { time, gate, begun } = storm(acceptsBurst + acceptsPerSecond);
  const atOnce = begun.length;

  await time.advance(500);
  const afterHalfASecond = begun.length;
  await time.advance(500);

  assert.equal(atOnce, acceptsBurst);
  assert.equal(afterHalfASecond, acceptsBurst + acceptsPerSecond / 2);
  assert.deepEqual(
    begun,
    begun.toSorted((a, b) => a - b),
  );
  assert.equal(begun.length, acceptsBurst + acceptsPerSecond);
  assert.equal(gate.waiting, 0);
  assert.equal(time.timersWaiting, 0);
});

test("the line has an end: one more is turned away", () => {
  const { gate, leaves } = storm(acceptsBurst + acceptsWaitingMax + 1);

  assert.equal(gate.waiting, acceptsWaitingMax);
  assert.equal(leaves.filter((leave) => leave === undefined).length, 1);
  assert.equal(leaves.at(-1), undefined);
});

test("who leaves the line takes nobody's turn", async () => {
  const { time, begun, leaves } = storm(acceptsBurst + 3);

  leaves[acceptsBurst]?.();
  await time.advance(1_000);

  assert.deepEqual(begun.slice(acceptsBurst), [acceptsBurst + 1, acceptsBurst + 2]);
});

test("a gate that is closed begins nothing more", async () => {
  const { time, gate, begun } = storm(acceptsBurst + 3);

  gate.close();
  await time.advance(1_000);

  assert.equal(begun.length, acceptsBurst);
  assert.equal(time.timersWaiting, 0);
});
