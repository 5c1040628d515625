import assert from "node:assert/strict";
import { test } from "node:test";
import { BlockCache } from "./block-cache.ts";

const read = (block: number, bytes: number) => ({ block, count: 1, data: new Uint8Array(bytes) });

test("a full cache forgets the block that was not used for longest, and keeps to its bytes", () => {
  const cache = new BlockCache(100);
  cache.add("r", 0, read(1, 50));
  cache.add("r", 0, read(2, 50));
  cache.find("r", 0, 1);

  cache.add("r", 0, read(3, 50));

  assert.deepEqual(
    [1, 2, 3].map((block) => cache.find("r", 0, block) !== undefined),
    [true, false, true],
  );
});

test("a block of the maximum is kept, and one a byte larger is not and pushes nothing out", () => {
  const cache = new BlockCache(100);
  cache.add("r", 0, read(1, 100));

  cache.add("r", 0, read(2, 101));

  assert.equal(cache.find("r", 0, 2), undefined);
  assert.equal(cache.find("r", 0, 1)?.data.length, 100);
});

test("what is cleared makes room", () => {
  const cache = new BlockCache(100);
  cache.add("r", 0, read(1, 100));

  cache.clear();
  cache.add("r", 0, read(2, 100));

  assert.deepEqual([cache.find("r", 0, 1), cache.find("r", 0, 2)?.block], [undefined, 2]);
});
