import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { InstructionError } from "./instruction-error.ts";
import {
  formatInstructionResult,
  instructionOutcomes,
  parseInstructionResult,
  resultBytesMax,
} from "./instruction-result.ts";
import { isReservedCommand } from "./subfolders.ts";

test("every outcome is told and read again", () => {
  for (const outcome of instructionOutcomes) {
    const whole = { number: 7, outcome, slot: 1, key: "0123456789abcdef" };
    assert.deepEqual(parseInstructionResult(formatInstructionResult(whole)), whole);
    assert.deepEqual(parseInstructionResult(formatInstructionResult({ outcome })), { outcome });
  }
});

test("the longest result fits its bound", () => {
  const longest = formatInstructionResult({
    number: 2 ** 48 - 1,
    outcome: "version_unknown",
    slot: 255,
    key: "k".repeat(64),
  });

  assert.ok(longest.length <= resultBytesMax);
  assert.throws(() => parseInstructionResult(" ".repeat(resultBytesMax + 1)), {
    code: "instruction_too_large",
  });
});

test("any other text is a typed refusal", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      assert.throws(() => parseInstructionResult(text), InstructionError);
    }),
  );
  for (const text of [
    '{"version":1,"outcome":"splendid"}',
    '{"version":1, "outcome":"done"}',
    '{"version":1,"outcome":"done","more":1}',
    '{"version":1,"number":0,"outcome":"done"}',
    '{"version":1,"outcome":"done","slot":256}',
    '{"version":1,"outcome":"done","key":""}',
  ]) {
    assert.throws(() => parseInstructionResult(text), { code: "instruction_malformed" }, text);
  }
});

test("what begins with mayfly/ in commands is ours, and a name that only looks like it is not", () => {
  assert.deepEqual(["mayfly", "mayfly/", "mayfly/instruction", "mayfly/x"].map(isReservedCommand), [
    true,
    true,
    true,
    true,
  ]);
  assert.deepEqual(["", "mayflyer", "mayfly-2/x", "/mayfly/x", "Mayfly/x"].map(isReservedCommand), [
    false,
    false,
    false,
    false,
    false,
  ]);
});
