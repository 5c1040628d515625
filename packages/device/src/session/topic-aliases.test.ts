import assert from "node:assert/strict";
import { test } from "node:test";
import { IncomingAliases, OutgoingAliases } from "./topic-aliases.ts";

test("Topic Names get aliases up to the bridge's maximum, and keep them", () => {
  const aliases = new OutgoingAliases(2);

  for (const topic of ["a", "b"]) aliases.learnt(topic);

  assert.deepEqual([aliases.known("a"), aliases.known("b"), aliases.known("c")], [1, 2, 0]);
  assert.equal(aliases.next(), 0);
});

test("a bridge that allows no alias is told none", () => {
  const aliases = new OutgoingAliases(0);

  assert.deepEqual([aliases.known("a"), aliases.next()], [0, 0]);
});

test("an alias of the bridge stands for the name it came with last, up to what we announced", () => {
  const aliases = new IncomingAliases(2);

  assert.equal(aliases.resolve("a", undefined), "a");
  assert.equal(aliases.resolve("a", 2), "a");
  assert.equal(aliases.resolve("", 2), "a");
  assert.equal(aliases.resolve("b", 2), "b");
  assert.equal(aliases.resolve("", 2), "b");
  assert.equal(aliases.resolve("", 1), undefined, "never set");
  assert.equal(aliases.resolve("a", 3), undefined, "above the maximum");
});
