/**
 * Counter (24): two monotonic counters, 0 to 2097151, kept in the configuration zone as two mirrored halves.
 *
 * The halves take turns: while one steps its 16 unary bits down, the other's binary part is at rest, so that a write
 * torn in the middle loses at most a step. `lin` shifts right by one a step, `bin` counts the rounds of 32.
 */

import type { ChipCore, Command, Outcome } from "../chip-core.ts";
import { answer, executionError, parseError } from "../chip-core.ts";
import { COUNTER_INCREMENT_NEEDS_CONFIG_LOCK } from "../doubts.ts";

export const COUNTER_VALUE_MAX = 2_097_151;

const COUNTER_OFFSET = 52;
const READ = 0x00;
const INCREMENT = 0x01;

export function counter(core: ChipCore, command: Command): Outcome {
  const { param1, param2, data } = command;
  if (param1 > INCREMENT || param2 > 1 || data.length !== 0) return parseError();
  const offset = COUNTER_OFFSET + 8 * param2;
  const value = decodeCounter(core.eeprom.config().subarray(offset, offset + 8));
  if (param1 === READ) return answer(fourBytes(value));

  if (COUNTER_INCREMENT_NEEDS_CONFIG_LOCK && !core.eeprom.isConfigLocked()) return executionError();
  if (value >= COUNTER_VALUE_MAX) return executionError();
  return answer(fourBytes(value + 1), [{ offset, bytes: encodeCounter(value + 1) }]);
}

function fourBytes(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, 0);
}

/** `lin_a lin_b bin_a bin_b`, each 16 bits big-endian: zero is FF FF FF FF 00 00 00 00. */
export function encodeCounter(value: number): Uint8Array {
  const late = Math.max(0, value - 16);
  const halves = [
    0xffff >> (value % 32),
    value < 16 ? 0xffff : 0xffff >> (late % 32),
    Math.floor(value / 32),
    Math.floor(late / 32),
  ];
  return Uint8Array.from(halves.flatMap((half) => [half >> 8, half & 0xff]));
}

/** The number of those eight bytes. Bytes no counter writes give some number too, as a chip would. */
export function decodeCounter(bytes: Uint8Array): number {
  const half = (index: number): number => ((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0);
  const stepsOfA = clearedBits(half(0));
  const steps = stepsOfA < 16 ? stepsOfA : 16 + Math.min(15, clearedBits(half(2)));
  return half(4) * 32 + steps;
}

function clearedBits(word: number): number {
  let cleared = 0;
  for (let bit = 0; bit < 16; bit += 1) cleared += (word >> bit) & 1 ? 0 : 1;
  return cleared;
}
