import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteRing } from "./byte-ring.ts";

/** What is in the ring, by its places. */
const contents = (ring: ByteRing): number[] => [...ring.read(ring.head, ring.length)];

test("a run that goes round the end of the array is read whole", () => {
  const ring = new ByteRing(8);
  ring.append(new Uint8Array([1, 2, 3, 4, 5, 6]));
  ring.releaseTo(5);

  ring.reserve(5);
  ring.append(new Uint8Array([7, 8, 9, 10, 11]));

  assert.deepEqual(contents(ring), [6, 7, 8, 9, 10, 11]);
});

test("the array grows by doubling, never above its maximum while that is enough", () => {
  const ring = new ByteRing(10_000);
  const large = new Uint8Array(9_000).fill(7);

  ring.reserve(large.length);
  ring.append(large);
  ring.reserve(1_000);
  ring.append(new Uint8Array(1_000).fill(8));

  assert.equal(ring.length, 10_000);
  assert.equal(ring.byte(8_999), 7);
  assert.equal(ring.byte(9_000), 8);
});

test("whatever is put in, given free and cut out, the ring holds what a plain list would", () => {
  const step = fc.oneof(
    fc.record({ append: fc.uint8Array({ minLength: 1, maxLength: 20 }) }),
    fc.record({ release: fc.nat({ max: 20 }) }),
    fc.record({ at: fc.nat({ max: 40 }), cut: fc.nat({ max: 20 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const ring = new ByteRing(16);
      let list: number[] = [];
      for (const one of steps) {
        if ("append" in one) {
          ring.reserve(one.append.length);
          ring.append(one.append);
          list.push(...one.append);
        } else if ("release" in one) {
          const count = Math.min(one.release, list.length);
          ring.releaseTo(ring.head + count);
          list = list.slice(count);
        } else {
          const at = Math.min(one.at, list.length);
          const count = Math.min(one.cut, list.length - at);
          ring.cutOut(ring.head + at, count);
          list.splice(at, count);
        }

        assert.deepEqual(contents(ring), list);
        assert.equal(ring.tail - ring.head, list.length);
      }
    }),
  );
});

test("what lies behind a cut keeps its place", () => {
  const ring = new ByteRing(8);
  ring.append(new Uint8Array([1, 2, 3, 4, 5, 6]));

  ring.cutOut(2, 2);

  assert.equal(ring.head, 2);
  assert.deepEqual([ring.byte(2), ring.byte(3), ring.byte(4), ring.byte(5)], [1, 2, 5, 6]);
});
