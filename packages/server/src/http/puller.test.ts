import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReceivedMessage, Subscription } from "../telemetry/backbone.ts";
import { ApiError } from "./api-error.ts";
import { createPuller } from "./puller.ts";

const subscription: Subscription = {
  id: "sink-1",
  registry: { project: "mayfly", location: "lab", registry: "plant", numId: "11" },
  createdMs: 0,
  leaseSeconds: 60,
};

const message = { ackId: "a" } as ReceivedMessage;

/** A backbone that holds what a test puts there, and timers that run when a test says so. */
function openPuller(waitingMax?: number) {
  const stock: ReceivedMessage[] = [];
  const hints = new Set<() => void>();
  const due = new Map<() => void, number>();
  let looks = 0;
  const puller = createPuller(
    {
      backbone: {
        async pull() {
          looks += 1;
          return stock.splice(0);
        },
        onDurable(_registry, hint) {
          hints.add(hint);
          return () => hints.delete(hint);
        },
      },
      timers: {
        after(delayMillis, run) {
          due.set(run, delayMillis);
          return () => due.delete(run);
        },
      },
    },
    waitingMax,
  );
  return {
    puller,
    stock,
    hints,
    due,
    looks: () => looks,
    /** Runs the timers of this delay. */
    elapse(millis: number) {
      for (const [run, delayMillis] of due) {
        if (delayMillis === millis && due.delete(run)) run();
      }
    },
  };
}

async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

test("a hint wakes the wait, and nothing is left behind", async () => {
  const { puller, stock, hints, due } = openPuller();
  const { messages } = puller.pull(subscription, 1, 30);
  await settle();

  stock.push(message);
  for (const hint of hints) hint();

  assert.deepEqual(await messages, [message]);
  assert.deepEqual([hints.size, due.size, puller.waiting()], [0, 0, 0]);
});

test("a message no hint told of is found by the look a second later", async () => {
  const { puller, stock, elapse } = openPuller();
  const { messages } = puller.pull(subscription, 1, 30);
  await settle();

  stock.push(message);
  elapse(1_000);

  assert.deepEqual(await messages, [message]);
});

test("the wait ends empty at its bound", async () => {
  const { puller, elapse, due } = openPuller();
  const { messages } = puller.pull(subscription, 1, 30);
  await settle();

  elapse(30_000);

  assert.deepEqual(await messages, []);
  assert.equal(due.size, 0);
});

test("a caller who left is leased nothing more", async () => {
  const { puller, stock, hints, looks } = openPuller();
  const { messages, abandon } = puller.pull(subscription, 1, 30);
  await settle();

  abandon();
  stock.push(message);
  for (const hint of hints) hint();

  assert.deepEqual(await messages, []);
  assert.equal(looks(), 1);
});

test("one wait above the maximum is refused; a pull that does not wait never is", async () => {
  const { puller } = openPuller(1);
  puller.pull(subscription, 1, 30);
  await settle();

  await assert.rejects(
    puller.pull(subscription, 1, 30).messages,
    (error) => error instanceof ApiError && error.status === "RESOURCE_EXHAUSTED",
  );
  assert.deepEqual(await puller.pull(subscription, 1, 0).messages, []);
  puller.close();
});
