/** What a command sees of the chip, and what it may answer. The bus side (`chip-sim.ts`) is not in here. */

import { LATCH_AT_POWER_UP } from "./doubts.ts";
import type { Eeprom, EepromWrite } from "./eeprom.ts";
import type { RunningSha256, SimCrypto } from "./sim-crypto.ts";
import type { SimRandom } from "./sim-random.ts";
import type { ChipStatus } from "./status.ts";
import { chipStatus } from "./status.ts";
import type { VolatileState } from "./volatile-state.ts";
import { emptyVolatileState } from "./volatile-state.ts";

export interface Command {
  readonly opcode: number;
  readonly param1: number;
  /** 16 bits. */
  readonly param2: number;
  readonly data: Uint8Array;
}

export interface Outcome {
  /** The data bytes of the answer: one of status, or four or more. */
  readonly data: Uint8Array;
  /** EEPROM changes, which land when the command completes and not before. */
  readonly writes: readonly EepromWrite[];
}

/** How many SHA-256 contexts a chip can be handed back; the oldest is forgotten. See `commands/sha-context.ts`. */
export const SAVED_HASHES_MAX = 8;

export interface ChipCore {
  readonly eeprom: Eeprom;
  readonly crypto: SimCrypto;
  readonly random: SimRandom;
  /** The per-signature secret, 32 bytes. */
  readonly drawK: () => Uint8Array;
  volatile: VolatileState;
  /** Survives sleep, not a power cut. */
  persistentLatch: number;
  /** A failed self-test holds until the power is cut: all commands answer 07. */
  selfTestFailed: boolean;
  /** Asked at each SelfTest and power-on self-test. */
  readonly drawsSelfTestFailure: () => boolean;
  readonly savedHashes: { readonly tag: Uint8Array; readonly hash: RunningSha256 }[];
}

export function createChipCore(
  parts: Pick<ChipCore, "eeprom" | "crypto" | "random" | "drawK" | "drawsSelfTestFailure">,
): ChipCore {
  return {
    ...parts,
    volatile: emptyVolatileState(),
    persistentLatch: LATCH_AT_POWER_UP,
    selfTestFailed: false,
    savedHashes: [],
  };
}

export function answer(data: Uint8Array, writes: readonly EepromWrite[] = []): Outcome {
  return { data, writes };
}

export function statusAnswer(status: ChipStatus, writes: readonly EepromWrite[] = []): Outcome {
  return { data: Uint8Array.of(status), writes };
}

export const parseError = (): Outcome => statusAnswer(chipStatus.parse);
export const executionError = (): Outcome => statusAnswer(chipStatus.execution);
export const done = (writes: readonly EepromWrite[] = []): Outcome =>
  statusAnswer(chipStatus.success, writes);

/** Whether an answer is a refusal or error, which the chip gives early. A miscompare is a result and takes its time. */
export function isRefusal(outcome: Outcome): boolean {
  return (
    outcome.data.length === 1 &&
    outcome.data[0] !== chipStatus.success &&
    outcome.data[0] !== chipStatus.miscompare
  );
}

/** 608 only: 508A answers 03 to what needs the newer buffers. */
export function isNewPart(core: ChipCore): boolean {
  return !core.eeprom.isOldPart();
}
