import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DeadlineHeap, type HeapEntry } from "./deadline-heap.ts";

const entry = (): HeapEntry => ({ dueMillis: 0, heapIndex: -1 });

test("whatever is set, moved and removed, the first is always the least", () => {
  const step = fc.record({ who: fc.nat(15), due: fc.nat(50), does: fc.constantFrom("set", "set", "remove") });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const heap = new DeadlineHeap();
      const entries = Array.from({ length: 16 }, entry);
      const inside = new Set<HeapEntry>();
      for (const { who, due, does } of steps) {
        const one = entries[who] ?? entry();
        if (does === "set") {
          heap.set(one, due);
          inside.add(one);
        } else {
          heap.remove(one);
          inside.delete(one);
        }

        const least = Math.min(...[...inside].map(({ dueMillis }) => dueMillis));
        assert.equal(heap.size, inside.size);
        assert.equal(heap.first?.dueMillis ?? Number.POSITIVE_INFINITY, least);
      }
    }),
  );
});

test("an entry that was removed knows that it is outside, and may be removed again", () => {
  const heap = new DeadlineHeap();
  const [one, two] = [entry(), entry()];
  heap.set(one, 5);
  heap.set(two, 3);

  heap.remove(two);
  heap.remove(two);

  assert.equal(two.heapIndex, -1);
  assert.equal(heap.first, one);
});
