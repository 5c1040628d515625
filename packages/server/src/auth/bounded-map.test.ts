import assert from "node:assert/strict";
import { test } from "node:test";
import { BoundedMap } from "./bounded-map.ts";

test("a full map forgets what was not used for longest", () => {
  const map = new BoundedMap<string, number>(2);
  map.set("a", 1);
  map.set("b", 2);
  map.find("a");

  map.set("c", 3);

  assert.deepEqual([map.find("a"), map.find("b"), map.find("c"), map.size], [1, undefined, 3, 2]);
});

test("setting what is there replaces it and pushes nothing out", () => {
  const map = new BoundedMap<string, number>(2);
  map.set("a", 1);
  map.set("b", 2);

  map.set("b", 3);

  assert.deepEqual([map.find("a"), map.find("b")], [1, 3]);
});
