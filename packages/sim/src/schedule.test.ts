import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Schedule } from "./schedule.ts";

test("tasks come out by due time, and equal times in the order of asking", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 20 })), (dues) => {
      const schedule = new Schedule();
      for (const due of dues) schedule.add(due, () => {});

      const taken: [number, number][] = [];
      for (let task = schedule.take(); task !== undefined; task = schedule.take()) {
        taken.push([task.dueMillis, task.order]);
      }

      const expected = dues.map((due, order): [number, number] => [due, order]);
      expected.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      assert.deepEqual(taken, expected);
    }),
  );
});
