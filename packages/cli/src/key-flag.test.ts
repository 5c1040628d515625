import assert from "node:assert/strict";
import { test } from "node:test";
import { splitKeyFlag } from "./key-flag.ts";

test("digits after the last colon are the slot, anything else belongs to the file's name", () => {
  assert.deepEqual(splitKeyFlag("key.pem"), { file: "key.pem" });
  assert.deepEqual(splitKeyFlag("key.pem:2"), { file: "key.pem", slot: 2 });
  assert.deepEqual(splitKeyFlag("a:b/key.pem"), { file: "a:b/key.pem" });
  assert.deepEqual(splitKeyFlag("a:b/key.pem:15"), { file: "a:b/key.pem", slot: 15 });
  assert.deepEqual(splitKeyFlag(":1"), { file: ":1" });
});
