import assert from "node:assert/strict";
import { test } from "node:test";
import { RegistryError } from "./error.ts";
import { createTurns, TURNS_WAITING_MAX } from "./turns.ts";

test("tasks on one name run one after the other, also after one that failed", async () => {
  const turns = createTurns();
  const log: string[] = [];
  const task = (name: string) => async () => {
    log.push(`${name} begins`);
    await Promise.resolve();
    log.push(`${name} ends`);
    if (name === "b") throw new Error("b failed");
  };

  const all = await Promise.allSettled(["a", "b", "c"].map((name) => turns.take("device", task(name))));

  assert.deepEqual(log, ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
  assert.deepEqual(
    all.map((one) => one.status),
    ["fulfilled", "rejected", "fulfilled"],
  );
});

test("tasks on different names do not wait for each other", async () => {
  const turns = createTurns();
  const never = turns.take("slow", () => new Promise(() => undefined));

  const answer = await turns.take("fast", async () => "done");

  assert.equal(answer, "done");
  assert.ok(never instanceof Promise);
});

test("one task above the maximum is refused, and room returns when tasks end", async () => {
  const turns = createTurns();
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const waiting = Array.from({ length: TURNS_WAITING_MAX }, () => turns.take("device", () => gate));

  await assert.rejects(
    turns.take("device", async () => undefined),
    (error) => error instanceof RegistryError,
  );
  release();
  await Promise.all(waiting);

  assert.equal(await turns.take("device", async () => 1), 1);
});
