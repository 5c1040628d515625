import assert from "node:assert/strict";
import { test } from "node:test";
import { QUEUED_WRITES_MAX, RegistryQueue } from "./registry-queue.ts";

test("one write above the maximum is refused at once, and those that wait are answered", async () => {
  const queue = new RegistryQueue({
    script: new URL("file:///never/started.ts"),
    workerData: undefined,
    timers: { after: () => () => undefined },
    committed: () => undefined,
  });
  const write = () =>
    queue.write({ kind: "removeAdminToken", nowMs: 0, hash: "" }).catch((error: Error) => error.message);

  const waiting = Array.from({ length: QUEUED_WRITES_MAX }, write);
  const over = write();

  assert.equal(queue.size, QUEUED_WRITES_MAX);
  assert.equal(await over, `more than ${QUEUED_WRITES_MAX} writes wait for the registry`);
  assert.deepEqual(new Set(await Promise.all(waiting)), new Set(["the registry's writer is not running"]));
  assert.equal(queue.size, 0);
});
