import assert from "node:assert/strict";
import { test } from "node:test";
import { EventReading, READS_WAITING_MAX } from "./event-reading.ts";

test("one read above the maximum is refused, and closing answers those that wait", async () => {
  const reading = new EventReading([], { after: () => () => undefined });
  const ask = () => reading.ask({ kind: "checkpoint", partition: 0 }).catch((error: Error) => error.message);

  const waiting = Array.from({ length: READS_WAITING_MAX }, ask);
  const over = ask();
  await reading.close();

  assert.equal(await over, "too many reads of events wait");
  assert.deepEqual(new Set(await Promise.all(waiting)), new Set(["the backbone is closed"]));
});
