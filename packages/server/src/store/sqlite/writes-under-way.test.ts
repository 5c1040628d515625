import assert from "node:assert/strict";
import { test } from "node:test";
import { WritesUnderWay } from "./writes-under-way.ts";

test("a read waits for the writes asked for before it, failed ones too, and for no others", async () => {
  const writes = new WritesUnderWay();
  const order: string[] = [];
  const first = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  writes.track("fern", first.promise).catch(() => order.push("first failed"));
  writes.track("fern", second.promise).then(() => order.push("second written"));

  writes.before("moss", () => order.push("moss read"));
  writes.before("fern", () => order.push("fern read"));
  first.reject(new Error("the disk"));
  await new Promise(setImmediate);
  order.push("between");
  second.resolve();
  await new Promise(setImmediate);

  assert.deepEqual(order, ["moss read", "first failed", "between", "second written", "fern read"]);
  assert.equal(writes.size, 0);
});

test("with nothing under way a read is made at once", () => {
  const writes = new WritesUnderWay();
  let isRead = false;

  writes.before("fern", () => {
    isRead = true;
  });

  assert.equal(isRead, true);
});
