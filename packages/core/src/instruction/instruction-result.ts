/**
 * What came of an instruction, as the device tells it: one short text beside its telemetry.
 *
 * That a device uses a key is proved by the bridge, which sees the key verify; this message says why it does not.
 */

import { instructionNumberMax, instructionSlotMax, isInteger, isName } from "./instruction.ts";
import { InstructionError } from "./instruction-error.ts";

/** Longest result; all of it ASCII. */
export const resultBytesMax = 256;

export const instructionOutcomes = [
  /** The bridge accepted a token of the key asked for; or the key asked for was made, and its offer is on its way. */
  "done",
  /** The key asked for is in use already. */
  "in_use",
  /** Not newer than the last one carried out. Nothing was done, as with all that follow but the last three. */
  "repeated",
  "expired",
  /** The device's clock is not believed, so nobody can say whether it is still in time. */
  "clock_unknown",
  "other_device",
  "version_unknown",
  "scope_unknown",
  "malformed",
  /** No such slot, or no such key, in this device. */
  "key_unknown",
  /** A switch is under way, or a key is being made. */
  "busy",
  /** This device makes no keys, or not in this slot. */
  "not_offered",
  /** The device could not remember that it has seen this one, and so did not begin. */
  "not_stored",
  /** The bridge took no token of the key; the key before is in use again. */
  "key_refused",
  /** The key asked for does not sign; the key before is in use again. */
  "sign_failed",
  /** The chip did not make a key, or the current key did not sign the offer. */
  "offer_failed",
] as const;

export type InstructionOutcome = (typeof instructionOutcomes)[number];

export interface InstructionResult {
  /** Of the instruction; absent where it could not be read. */
  readonly number?: number;
  readonly outcome: InstructionOutcome;
  /** What signs now. */
  readonly slot?: number;
  readonly key?: string;
}

/** @returns ASCII. */
export function formatInstructionResult({ number, outcome, slot, key }: InstructionResult): string {
  return JSON.stringify({
    version: 1,
    ...(number === undefined ? undefined : { number }),
    outcome,
    ...(slot === undefined ? undefined : { slot }),
    ...(key === undefined || !isName(key) ? undefined : { key }),
  });
}

/** @throws {InstructionError} Nothing else, whatever the text. */
export function parseInstructionResult(text: string): InstructionResult {
  if (text.length > resultBytesMax) {
    throw new InstructionError("instruction_too_large", `longer than ${resultBytesMax} bytes`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed("JSON");
  }
  if (typeof value !== "object" || value === null || !("version" in value)) throw malformed("version");
  if (value.version !== 1) {
    throw new InstructionError("instruction_version_unknown", "of a version that is not known");
  }
  const { number, outcome, slot, key }: Record<string, unknown> = { ...value };
  const known = instructionOutcomes.find((one) => one === outcome);
  if (known === undefined) throw malformed("outcome");
  if (number !== undefined && !isInteger(number, 1, instructionNumberMax)) throw malformed("number");
  if (slot !== undefined && !isInteger(slot, 0, instructionSlotMax)) throw malformed("slot");
  if (key !== undefined && (typeof key !== "string" || !isName(key))) throw malformed("key");
  const result: InstructionResult = {
    outcome: known,
    ...(number === undefined ? undefined : { number }),
    ...(slot === undefined ? undefined : { slot }),
    ...(key === undefined ? undefined : { key }),
  };
  if (formatInstructionResult(result) !== text) throw malformed("form");
  return result;
}

function malformed(what: string): InstructionError {
  return new InstructionError("instruction_malformed", `${what}: not as an instruction's result has it`);
}
