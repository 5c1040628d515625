import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { testSmallStore } from "../../../test/contract/small-store.contract.ts";
import { openFileStore, waitingWritesMax } from "./file-store.ts";

const root = mkdtempSync(join(tmpdir(), "mayfly-file-store-"));
after(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
const newFolder = (): string => join(root, String(folders++));

testSmallStore("file store", () => openFileStore(newFolder()));

test("file store: values outlive the store that wrote them", async () => {
  const folder = newFolder();
  const first = openFileStore(folder);
  await first.write("slot", new Uint8Array([2]));
  await first.close();

  const second = openFileStore(folder);

  assert.deepEqual(second.read("slot"), new Uint8Array([2]));
});

test("file store: a folder open in one agent is refused to another until it is closed", async () => {
  const folder = newFolder();
  const first = openFileStore(folder);

  assert.throws(() => openFileStore(folder), { code: "store_locked" });
  await first.close();

  assert.doesNotThrow(() => openFileStore(folder));
});

test("file store: a file cut short at any byte, or with any bit flipped, reads as absent", async () => {
  const folder = newFolder();
  const store = openFileStore(folder);
  await store.write("floor", new Uint8Array([1, 2, 3, 4, 5]));
  const path = join(folder, "floor.value");
  const whole = readFileSync(path);

  for (let length = 0; length < whole.length; length++) {
    writeFileSync(path, whole.subarray(0, length));
    assert.equal(store.read("floor"), undefined, `cut to ${length}`);
  }
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const flipped = Buffer.from(whole);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    writeFileSync(path, flipped);
    assert.equal(store.read("floor"), undefined, `bit ${bit} flipped`);
  }
  writeFileSync(path, Buffer.concat([whole, Buffer.from([0])]));
  assert.equal(store.read("floor"), undefined, "a byte more");
});

test("file store: a value under another key's name reads as absent", async () => {
  const folder = newFolder();
  const store = openFileStore(folder);
  await store.write("a", new Uint8Array([1]));

  writeFileSync(join(folder, "b.value"), readFileSync(join(folder, "a.value")));

  assert.equal(store.read("b"), undefined);
});

test("file store: a temporary file left by a crash is neither read nor in the way", async () => {
  const folder = newFolder();
  const store = openFileStore(folder);
  await store.write("a", new Uint8Array([1]));
  writeFileSync(join(folder, "a.value.new"), "torn");

  assert.deepEqual(store.read("a"), new Uint8Array([1]));
  await store.write("a", new Uint8Array([2]));

  assert.deepEqual(store.read("a"), new Uint8Array([2]));
});

test("file store: folder and files are their owner's only, and no temporary file stays", async () => {
  const folder = newFolder();
  const store = openFileStore(folder);

  await store.write("a", new Uint8Array([1]));

  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.deepEqual(readdirSync(folder).sort(), ["a.value", "lock"]);
  for (const file of readdirSync(folder))
    assert.equal(statSync(join(folder, file)).mode & 0o777, 0o600, file);
});

test(`file store: ${waitingWritesMax} writes may wait, the next is refused, and all that were taken are kept`, async () => {
  const store = openFileStore(newFolder());
  const taken = Array.from({ length: waitingWritesMax }, (_, i) => store.write("a", new Uint8Array([i])));

  await assert.rejects(store.write("a", new Uint8Array([99])), { code: "store_busy" });
  await Promise.all(taken);

  assert.deepEqual(store.read("a"), new Uint8Array([waitingWritesMax - 1]));
  await store.write("a", new Uint8Array([100]));
});

test("file store: close waits for what was taken and refuses what comes after", async () => {
  const folder = newFolder();
  const store = openFileStore(folder);
  const taken = store.write("a", new Uint8Array([1]));

  await store.close();

  await taken;
  await assert.rejects(store.write("a", new Uint8Array([2])), { code: "store_closed" });
});
