import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualTime } from "../../test/bridge-world.ts";
import { InTurns } from "./in-turns.ts";

test("a crowd is done in turns, so many in each, in the order of asking", async () => {
  const time = new VirtualTime();
  const done: number[] = [];
  const inTurns = new InTurns<number>(time, 3, (one) => done.push(one));

  for (let one = 0; one < 7; one++) inTurns.add(one);
  const afterEach: number[] = [];
  while (time.timersWaiting > 0) {
    const before = done.length;
    time.after(0, () => afterEach.push(done.length - before));
    await time.advance(0);
  }

  assert.deepEqual(done, [0, 1, 2, 3, 4, 5, 6]);
  assert.equal(afterEach[0], 3);
});

test("whoever is asked for twice is done once, and whoever is forgotten not at all", async () => {
  const time = new VirtualTime();
  const done: string[] = [];
  const inTurns = new InTurns<string>(time, 10, (one) => done.push(one));

  inTurns.add("twice");
  inTurns.add("gone");
  inTurns.add("twice");
  inTurns.delete("gone");
  await time.advance(0);

  assert.deepEqual(done, ["twice"]);
});

test("a deed that asks for another is done in a later turn", async () => {
  const time = new VirtualTime();
  const done: number[] = [];
  const inTurns: InTurns<number> = new InTurns<number>(time, 1, (one) => {
    done.push(one);
    if (one < 3) inTurns.add(one + 1);
  });

  inTurns.add(1);
  await time.advance(0);

  assert.deepEqual(done, [1, 2, 3]);
  assert.equal(time.timersWaiting, 0);
});
