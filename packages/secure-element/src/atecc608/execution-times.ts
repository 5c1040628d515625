/**
 * How long commands take, ms: the vendor's maxima (atecc608.md §1.7), and how much of it need not be polled through.
 *
 * We poll and never wait for a fixed time; the maximum only says when to stop believing in an answer.
 */
import type { ChipTraits } from "./command-port.ts";
import { opcodes } from "./opcodes.ts";

/** Beyond the vendor's maximum: slow timers of the host, and its bus. */
export const DEADLINE_MARGIN_MILLIS = 50;
/** For a command without a row: what the vendor's library allows any. */
const OTHER_COMMAND_MILLIS = 2_500;

/** 508A, then 608 at M0, M1, M2. */
type Row = readonly [number, number, number, number];

function findRow(opcode: number): Row | undefined {
  switch (opcode) {
    case opcodes.info:
      return [2, 5, 5, 5];
    case opcodes.read:
      return [5, 5, 5, 5];
    case opcodes.random:
      return [23, 23, 23, 23];
    case opcodes.nonce:
      return [29, 20, 20, 20];
    case opcodes.write:
      return [26, 45, 45, 45];
    case opcodes.lock:
      return [32, 35, 35, 35];
    case opcodes.updateExtra:
      return [10, 10, 10, 10];
    case opcodes.genDig:
      return [11, 25, 35, 35];
    case opcodes.privWrite:
      return [48, 50, 50, 50];
    case opcodes.deriveKey:
      return [50, 50, 50, 50];
    case opcodes.sign:
      return [60, 115, 220, 665];
    case opcodes.genKey:
      return [115, 115, 215, 653];
    case opcodes.verify:
      return [72, 105, 295, 1085];
    case opcodes.ecdh:
      return [58, 75, 172, 531];
    case opcodes.sha:
      return [9, 36, 42, 75];
    case opcodes.counter:
      return [20, 25, 25, 25];
    case opcodes.selfTest:
      return [250, 250, 625, 2324];
    case opcodes.mac:
      return [14, 55, 55, 55];
    case opcodes.checkMac:
      return [13, 40, 40, 40];
    default:
      return undefined;
  }
}

/** Does the maximum depend on what only the chip can tell (part, clock divider)? */
export function dependsOnTraits(opcode: number): boolean {
  const row = findRow(opcode);
  return row !== undefined && row[3] > 100;
}

/** @param traits If unknown, the longest of the row holds. @returns The vendor's maximum, ms. */
export function executionMillisMax(opcode: number, traits: ChipTraits | undefined): number {
  const row = findRow(opcode);
  if (row === undefined) return OTHER_COMMAND_MILLIS;
  if (traits === undefined) return Math.max(row[0], row[1], row[2], row[3]);
  if (traits.part === "508A") return row[0];
  return traits.clockDivider === "M0" ? row[1] : traits.clockDivider === "M1" ? row[2] : row[3];
}

/**
 * When to ask for the first time, ms after the command: 1 for most.
 *
 * A 608's Sign takes more than 60 ms by public observation, so that twenty-five polls before are spared. A refusal,
 * which comes early, is seen that much later; nobody waits for refusals.
 */
export function firstPollMillis(opcode: number, traits: ChipTraits | undefined): number {
  if (traits?.part !== "608") return 1;
  if (opcode === opcodes.sign) return 50;
  if (opcode === opcodes.genKey || opcode === opcodes.verify) return 25;
  return 1;
}
