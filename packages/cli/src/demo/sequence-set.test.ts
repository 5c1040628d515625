import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RUNS_MAX, SequenceSet } from "./sequence-set.ts";

test("a sequence set holds what a plain set holds, and its ranges are its runs", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(60), { maxLength: 120 }), (sequences) => {
      const set = new SequenceSet();
      const plain = new Set<number>();

      for (const sequence of sequences) {
        assert.equal(set.add(sequence), !plain.has(sequence));
        plain.add(sequence);
      }

      for (let sequence = 0; sequence <= 61; sequence++) assert.equal(set.has(sequence), plain.has(sequence));
      const listed = set
        .ranges()
        .flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
      assert.deepEqual(
        listed,
        [...plain].sort((a, b) => a - b),
      );
      const runs = set.ranges();
      for (const [index, [first]] of runs.entries()) {
        const before = runs[index - 1];
        assert.ok(before === undefined || before[1] + 1 < first);
      }
    }),
  );
});

test("a sequence set takes no run beyond its maximum", () => {
  const set = new SequenceSet();
  for (let run = 0; run < RUNS_MAX; run++) set.add(run * 2);

  assert.equal(set.add(RUNS_MAX * 2 + 10), false);
  assert.equal(set.add(1), true);
});
