/**
 * The promises of a small store, as tests that every adapter passes.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type SmallStore, smallValueBytesMax } from "../../src/ports.ts";

export function testSmallStore(adapter: string, open: () => SmallStore): void {
  test(`${adapter}: a value reads as it was last written`, async () => {
    const store = open();

    await store.write("floor", new Uint8Array([1, 2, 3]));
    await store.write("floor", new Uint8Array([4]));

    assert.deepEqual(store.read("floor"), new Uint8Array([4]));
  });

  test(`${adapter}: a key never written reads as absent`, () => {
    assert.equal(open().read("floor"), undefined);
  });

  test(`${adapter}: an empty value is a value`, async () => {
    const store = open();

    await store.write("slot", new Uint8Array());

    assert.deepEqual(store.read("slot"), new Uint8Array());
  });

  test(`${adapter}: keys do not disturb each other`, async () => {
    const store = open();

    await Promise.all([store.write("a", new Uint8Array([1])), store.write("b", new Uint8Array([2]))]);

    assert.deepEqual([store.read("a"), store.read("b")], [new Uint8Array([1]), new Uint8Array([2])]);
  });

  test(`${adapter}: of two writes of one key under way the later wins`, async () => {
    const store = open();

    await Promise.all([store.write("a", new Uint8Array([1])), store.write("a", new Uint8Array([2]))]);

    assert.deepEqual(store.read("a"), new Uint8Array([2]));
  });

  test(`${adapter}: a value of ${smallValueBytesMax} bytes is kept, and one more byte is refused`, async () => {
    const store = open();
    const largest = new Uint8Array(smallValueBytesMax).fill(7);

    await store.write("large", largest);
    await assert.rejects(store.write("large", new Uint8Array(smallValueBytesMax + 1)), {
      code: "value_too_large",
    });

    assert.deepEqual(store.read("large"), largest);
  });

  test(`${adapter}: a key is 1 to 15 ASCII letters, digits and hyphens`, async () => {
    const store = open();
    await store.write("Azaz-0123456789", new Uint8Array([1]));

    for (const key of ["", "sixteen-letters-", "a.b", "a/b", "..", "ä", "a b", "a\0"]) {
      await assert.rejects(store.write(key, new Uint8Array()), { code: "key_malformed" }, key);
      assert.throws(() => store.read(key), { code: "key_malformed" }, key);
    }
  });

  test(`${adapter}: the bytes are the store's own, both ways`, async () => {
    const store = open();
    const given = new Uint8Array([1, 2, 3]);
    const written = store.write("a", given);
    given.fill(9);
    await written;

    store.read("a")?.fill(8);

    assert.deepEqual(store.read("a"), new Uint8Array([1, 2, 3]));
  });
}
