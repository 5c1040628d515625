/**
 * How long a command keeps the chip busy: typical times, and the vendor's worst, at the three clock dividers.
 *
 * The worst times are the vendor's table (reference §1.7). Typical ones for the 608 are published nowhere; Sign at
 * 60 to 70 ms has been seen from outside, the rest are estimates. Typical times at M1 and M2 keep the proportion of
 * the worst ones; those of the 508A are held to four fifths of its worst.
 */

import type { ChipCore, Command } from "./chip-core.ts";
import { UNKNOWN_DIVIDER_RUNS_AS } from "./doubts.ts";
import { opcode } from "./opcodes.ts";

export type Profile = "typical" | "worst";

interface Times {
  readonly typical: number;
  readonly worst: { readonly M0: number; readonly M1: number; readonly M2: number };
  readonly worst508A: number;
}

const row = (typical: number, m0: number, m1: number, m2: number, worst508A: number): Times => ({
  typical,
  worst: { M0: m0, M1: m1, M2: m2 },
  worst508A,
});

/** Milliseconds. The 508A has no SelfTest; its column there is never used. */
const times: Readonly<Record<number, Times>> = {
  [opcode.info]: row(1, 5, 5, 5, 2),
  [opcode.read]: row(1, 5, 5, 5, 5),
  [opcode.random]: row(15, 23, 23, 23, 23),
  [opcode.nonce]: row(15, 20, 20, 20, 29),
  [opcode.write]: row(10, 45, 45, 45, 26),
  [opcode.lock]: row(15, 35, 35, 35, 32),
  [opcode.updateExtra]: row(5, 10, 10, 10, 10),
  [opcode.genDig]: row(10, 25, 35, 35, 11),
  [opcode.sign]: row(65, 115, 220, 665, 60),
  [opcode.genKey]: row(60, 115, 215, 653, 115),
  [opcode.verify]: row(45, 105, 295, 1085, 72),
  [opcode.sha]: row(8, 36, 42, 75, 9),
  [opcode.counter]: row(8, 25, 25, 25, 20),
  [opcode.selfTest]: row(140, 250, 625, 2324, 250),
  [opcode.mac]: row(10, 55, 55, 55, 14),
  [opcode.checkMac]: row(10, 40, 40, 40, 13),
};

const NONCE_PASS_THROUGH_TYPICAL = 2;
const GEN_KEY_PUBLIC_TYPICAL = 40;

function divider(core: ChipCore): "M0" | "M1" | "M2" {
  const bits = core.eeprom.configByte(19) >> 3;
  if (bits === 0x05) return "M1";
  return bits === 0x0d ? "M2" : UNKNOWN_DIVIDER_RUNS_AS;
}

function typicalOf(command: Command, entry: Times): number {
  if (command.opcode === opcode.nonce && (command.param1 & 0x03) === 0x03) return NONCE_PASS_THROUGH_TYPICAL;
  if (command.opcode === opcode.genKey && (command.param1 & 0x04) === 0) return GEN_KEY_PUBLIC_TYPICAL;
  return entry.typical;
}

/** @returns µs from the end of the command's write to the answer; undefined for an opcode not done. */
export function executionMicros(core: ChipCore, command: Command, profile: Profile): number | undefined {
  const entry = times[command.opcode];
  if (entry === undefined) return undefined;
  const worst = core.eeprom.isOldPart() ? entry.worst508A : entry.worst[divider(core)];
  if (profile === "worst") return worst * 1000;
  const typical = core.eeprom.isOldPart()
    ? Math.min(typicalOf(command, entry), worst * 0.8)
    : typicalOf(command, entry) * (worst / entry.worst.M0);
  return Math.round(typical * 1000);
}
