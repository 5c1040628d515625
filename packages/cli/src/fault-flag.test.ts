import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidArgumentError } from "commander";
import { repeatedFault } from "./fault-flag.ts";

test("a share and a span are read, and several faults are kept in order", () => {
  const faults = repeatedFault(
    "nack_storm:0.25",
    repeatedFault("ecc_fault:2-9", repeatedFault("watchdog:1")),
  );

  assert.deepEqual(faults, [
    ["watchdog", 1],
    ["ecc_fault", { from: 2, until: 9 }],
    ["nack_storm", 0.25],
  ]);
});

test("what is neither share nor span, and a kind given twice, are refused", () => {
  for (const text of [
    "",
    "ecc_fault",
    "ecc_fault:",
    "ecc_fault:0-3",
    "ecc_fault:9-2",
    "ecc_fault:1.5",
    "x:-1",
  ]) {
    assert.throws(() => repeatedFault(text), InvalidArgumentError, text);
  }
  assert.throws(() => repeatedFault("watchdog:1", [["watchdog", 0.5]]), /twice/);
});

test("ten faults are taken, and no eleventh", () => {
  const ten = Array.from({ length: 9 }, (_, i) => [`kind_${"abcdefghi"[i]}`, 1] as const);

  assert.equal(repeatedFault("last:1", ten).length, 10);
  assert.throws(() => repeatedFault("more:1", repeatedFault("last:1", ten)), /10 times/);
});
