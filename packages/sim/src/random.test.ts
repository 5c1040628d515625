import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "./random.ts";

test("ten thousand draws fall evenly into ten boxes", () => {
  const random = createRandom("even");
  const boxes = new Array<number>(10).fill(0);

  for (let i = 0; i < 10_000; i++) {
    const box = random.between(0, 9);
    boxes[box] = (boxes[box] ?? 0) + 1;
  }

  // 30 is the standard deviation of each box; six of them.
  for (const count of boxes) assert.ok(Math.abs(count - 1_000) < 180, `boxes: ${boxes}`);
});
