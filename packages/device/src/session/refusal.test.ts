import assert from "node:assert/strict";
import { test } from "node:test";
import { actionOfPuback, refusalOfConnack, refusalOfDisconnect } from "./refusal.ts";

test("a token that was not good enough is replaced, in both versions", () => {
  const actions = [
    refusalOfConnack(5, 0x87).action,
    refusalOfConnack(5, 0x86).action,
    refusalOfConnack(4, 5).action,
    refusalOfConnack(4, 4).action,
    refusalOfDisconnect(0x87).action,
  ];

  assert.deepEqual(new Set(actions), new Set(["mint"]));
});

test("a bridge that is busy or away is tried again with backoff", () => {
  const actions = [
    refusalOfConnack(5, 0x89).action,
    refusalOfConnack(5, 0x88).action,
    refusalOfConnack(4, 3).action,
  ];

  assert.deepEqual(new Set(actions), new Set(["retry"]));
});

test("a code outside the table makes the agent wait, and the sentence names the code", () => {
  const refusal = refusalOfConnack(5, 0xee);

  assert.equal(refusal.action, "wait");
  assert.match(refusal.sentence, /238/);
});

test("a message that a quota or the bridge's own trouble kept out is kept, one that is wrong is dropped", () => {
  const kept = [0x80, 0x83, 0x91, 0x97].map(actionOfPuback);
  const dropped = [0x87, 0x90, 0x99, 0xee].map(actionOfPuback);
  const arrived = [0x00, 0x10].map(actionOfPuback);

  assert.deepEqual(new Set(kept), new Set(["again"]));
  assert.deepEqual(new Set(dropped), new Set(["drop"]));
  assert.deepEqual(new Set(arrived), new Set(["done"]));
});
