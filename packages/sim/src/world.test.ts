import assert from "node:assert/strict";
import { test } from "node:test";
import { createWorld, promiseTurns } from "./world.ts";

test("a run ends at its time exactly, with everything due by then done and nothing later", async () => {
  const world = createWorld({ seed: "a" });
  const done: number[] = [];
  for (const delay of [100, 50, 101]) world.timers.after(delay, () => done.push(delay));

  await world.run(100);

  assert.deepEqual(done, [50, 100]);
  assert.equal(world.clock.monotonicMillis(), 100);
});

test("a cancelled timer does not run", async () => {
  const world = createWorld({ seed: "a" });
  let ran = false;
  const cancel = world.timers.after(10, () => {
    ran = true;
  });

  cancel();
  await world.run(20);

  assert.equal(ran, false);
});

test("a timer set by a timer runs in the same run when it is due", async () => {
  const world = createWorld({ seed: "a" });
  const at: number[] = [];
  world.timers.after(10, () => world.timers.after(5, () => at.push(world.clock.monotonicMillis())));

  await world.run(20);

  assert.deepEqual(at, [15]);
});

test("a chain of promises goes as far as it can before the next task", async () => {
  const world = createWorld({ seed: "a" });
  const order: string[] = [];
  world.timers.after(1, () => {
    const chain = async (): Promise<void> => {
      for (let i = 0; i < promiseTurns - 1; i++) await undefined;
      order.push("promise");
    };
    void chain();
  });
  world.timers.after(1, () => order.push("next task"));

  await world.run(1);

  assert.deepEqual(order, ["promise", "next task"]);
});

test("the wall clock moves with the monotonic one", async () => {
  const world = createWorld({ seed: "a", startSeconds: 1_800_000_000 });

  await world.run(2_500);

  assert.equal(world.clock.wallSeconds(), 1_800_000_002.5);
});

test("the same seed and name draw the same, another name or seed something else", () => {
  const draw = (seed: string, name: string): string =>
    createWorld({ seed }).random(name).fill(new Uint8Array(16)).join();

  assert.equal(draw("a", "x"), draw("a", "x"));
  assert.notEqual(draw("a", "x"), draw("a", "y"));
  assert.notEqual(draw("a", "x"), draw("b", "x"));
});

test("a timer that sets itself anew for now ends the run with a sentence instead of never", async () => {
  const world = createWorld({ seed: "runaway", settlePromises: async () => {} });
  const again = (): void => {
    world.timers.after(0, again);
  };
  again();

  await assert.rejects(world.run(1), /more than 100000 tasks at 0 ms, seed runaway/);
});
