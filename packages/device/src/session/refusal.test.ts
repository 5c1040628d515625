import assert from "node:assert/strict";
import { test } from "node:test";
import { refusalOfConnack, refusalOfDisconnect } from "./refusal.ts";

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
