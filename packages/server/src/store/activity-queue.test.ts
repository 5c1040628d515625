import assert from "node:assert/strict";
import { test } from "node:test";
import { ActivityQueue } from "./activity-queue.ts";

const update = (device: string, heartbeatMs: number) => ({
  device: { project: "p", location: "l", registry: "r", device },
  activity: { heartbeatMs },
});

test("a full queue forgets the device that was updated longest ago", () => {
  const queue = new ActivityQueue(2);
  for (const [device, at] of [
    ["a", 1],
    ["b", 2],
    ["a", 3],
    ["c", 4],
  ] as const)
    queue.add(update(device, at));

  const taken = queue.take(10);

  assert.deepEqual(
    taken.map((one) => one.device.device),
    ["a", "c"],
  );
  assert.equal(queue.dropped, 1);
  assert.equal(queue.size, 0);
});

test("facts given back after a failed write yield to newer ones", () => {
  const queue = new ActivityQueue(2);
  queue.add(update("a", 5));
  queue.giveBack([update("a", 1), update("b", 2), update("c", 3)]);

  assert.deepEqual(
    queue.take(10).map((one) => one.activity.heartbeatMs),
    [5, 2],
  );
  assert.equal(queue.dropped, 1);
});
