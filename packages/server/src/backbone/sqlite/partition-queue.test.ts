import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Timers } from "@mayfly/core";
import type { TelemetryMessage } from "../../telemetry/backbone.ts";
import { OPERATIONS_WAITING_MAX, PartitionQueue, PROBE_MILLIS_MAX } from "./partition-queue.ts";

function openQueue(writer: { readonly file: string; readonly maxBytes?: number }, timers: Timers) {
  return new PartitionQueue({
    writer: { partition: 0, partitions: 1, mayCreate: true, maxBytes: writer.maxBytes, file: writer.file },
    timers,
    queued: { messages: 0, bytes: 0 },
    isTailed: () => false,
    durable: () => undefined,
    checkpoint: () => Promise.resolve(),
  });
}

const message: TelemetryMessage = {
  registry: { project: "mayfly", location: "lab", registry: "plant", numId: "11" },
  deviceId: "fern",
  deviceNumId: "1",
  subfolder: "",
  payload: new Uint8Array(64 * 1024),
  publishMs: 0,
};

test("one operation above the maximum is refused, and those that wait are answered", async () => {
  const queue = openQueue({ file: "/never/opened" }, { after: () => () => undefined });
  const operate = () => queue.operate("totals", {}).catch((error: Error) => error.message);

  const waiting = Array.from({ length: OPERATIONS_WAITING_MAX }, operate);
  const over = operate();

  assert.equal(await over, "too many operations wait for this partition");
  assert.deepEqual(new Set(await Promise.all(waiting)), new Set(["the event writer is not running"]));
});

test("a full disk is probed ever more seldom, up to the longest wait", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "mayfly-probe-"));
  const waits: number[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const queue = openQueue(
    { file: join(folder, "events.db"), maxBytes: 256 * 1024 },
    {
      after(millis, run) {
        waits.push(millis);
        if (waits.length < 10) setImmediate(run);
        else resolve();
        return () => undefined;
      },
    },
  );
  t.after(async () => {
    await queue.close();
    rmSync(folder, { recursive: true });
  });
  await queue.start();

  const refused = new Promise<void>((done) => {
    const appendUntilRefused = (): void =>
      queue.append("plant", message, (outcome) => {
        if (outcome.kind === "durable") appendUntilRefused();
        else done();
      });
    appendUntilRefused();
  });
  await refused;
  await promise;

  const [first = 0] = waits;
  assert.deepEqual(
    waits,
    waits.map((_, n) => Math.min(first * 2 ** n, PROBE_MILLIS_MAX)),
  );
  assert.equal(waits.at(-1), PROBE_MILLIS_MAX);
});
