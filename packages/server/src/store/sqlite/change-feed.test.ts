import assert from "node:assert/strict";
import { test } from "node:test";
import type { RegistryChange } from "../../registry/model.ts";
import { ChangeFeed } from "./change-feed.ts";

const change = (sequence: number): RegistryChange => ({
  sequence,
  atMs: 0,
  kind: "device_updated",
  registry: { project: "mayfly", location: "lab", registry: "plant" },
  deviceId: "fern",
});

test("a change of another process whose first look failed is told by the next poll, with no other commit", () => {
  let version = 1;
  let isBroken = false;
  let log: readonly RegistryChange[] = [];
  const polls: (() => void)[] = [];
  const troubles: boolean[] = [];
  const feed = new ChangeFeed({
    reader: {
      dataVersion: () => version,
      newestSequence: () => 0,
      changesAfter(sequence) {
        if (isBroken) throw new Error("disk I/O error");
        return log.filter((one) => one.sequence > sequence);
      },
    },
    timers: {
      after(_millis, run) {
        polls.push(run);
        return () => undefined;
      },
    },
    changed: () => undefined,
    trouble: (because) => troubles.push(because !== undefined),
  });
  const told: number[] = [];
  feed.listen(({ sequence }) => told.push(sequence));
  log = [change(1)];
  version = 2;
  isBroken = true;
  polls.shift()?.();
  isBroken = false;

  polls.shift()?.();
  const looked = troubles.length;
  polls.shift()?.();

  assert.deepEqual(told, [1]);
  assert.deepEqual([troubles[0], troubles.at(-1)], [true, false]);
  assert.equal(troubles.length, looked, "content again, it looks no more");
});
