/**
 * The small commands of a factory: keys, locks, UpdateExtra, SelfTest (atecc608.md §2).
 */
import { ChipError } from "../atecc608/chip-error.ts";
import { opcodes, statuses } from "../atecc608/opcodes.ts";
import {
  type ConfigZone,
  decodeConfigZone,
  isConfigLocked,
  isDataLocked,
  isSlotLocked,
} from "./config-zone.ts";
import { execute, type FactoryChip, noData } from "./factory-chip.ts";
import { ProvisioningError } from "./provisioning-error.ts";
import { readConfigBytes } from "./read-zones.ts";

/** Bits of GenKey's param1. */
export const genKeyModes = { computePublic: 0x00, createPrivate: 0x04, digest: 0x08 } as const;

/**
 * Makes a new private key in a slot; whatever key was there is gone from the moment the chip starts.
 *
 * @returns Its public key, X‖Y, 64 bytes. Rejects with the driver's error where the slot forbids it.
 */
export async function createKey(chip: FactoryChip, slot: number): Promise<Uint8Array> {
  return await execute(chip, opcodes.genKey, genKeyModes.createPrivate, slot, noData(), 64);
}

/** @returns The public key X‖Y of the private key in the slot, 64 bytes, if PubInfo allows. */
export async function computePublicKey(chip: FactoryChip, slot: number): Promise<Uint8Array> {
  return await execute(chip, opcodes.genKey, genKeyModes.computePublic, slot, noData(), 64);
}

/** Does the private slot hold a key? Which of the four bytes says so is in doubt, so any does (§2.1). */
export async function hasKey(chip: FactoryChip, slot: number): Promise<boolean> {
  const answer = await execute(chip, opcodes.info, 0x01, slot, noData(), 4);
  return answer.some((byte) => byte !== 0);
}

/** @returns The configuration as the chip holds it now. */
export async function readConfigZone(chip: FactoryChip): Promise<ConfigZone> {
  return decodeConfigZone(await readConfigBytes(chip));
}

/**
 * Locks the Configuration zone for ever, if it still holds what the CRC was made of.
 *
 * @param summaryCrc Over the 128 bytes as they were read.
 * @throws {ProvisioningError} `lock_refused`. Rejects with the driver's error too.
 */
export async function lockConfigZone(chip: FactoryChip, summaryCrc: number): Promise<void> {
  await lock(chip, "configuration", 0x00, summaryCrc, isConfigLocked);
}

/**
 * Locks the data and OTP zones for ever, if they still hold what the CRC was made of.
 *
 * @throws {ProvisioningError} `lock_refused`. Rejects with the driver's error too.
 */
export async function lockDataZone(chip: FactoryChip, summaryCrc: number): Promise<void> {
  await lock(chip, "data", 0x01, summaryCrc, isDataLocked);
}

/**
 * Locks one slot for ever; there is no summary for a slot.
 *
 * @throws {ProvisioningError} `lock_refused`. Rejects with the driver's error too.
 */
export async function lockSlot(chip: FactoryChip, slot: number): Promise<void> {
  await lock(chip, `slot ${slot}`, 0x02 | (slot << 2), 0, (zone) => isSlotLocked(zone, slot));
}

/**
 * A lock is believed when its byte says so: an answer may be lost although the chip locked, and an answer alone is
 * no proof that it did.
 */
async function lock(
  chip: FactoryChip,
  what: string,
  mode: number,
  summaryCrc: number,
  isLocked: (zone: ConfigZone) => boolean,
): Promise<void> {
  let failure: unknown;
  try {
    await execute(chip, opcodes.lock, mode, summaryCrc, noData(), 0);
  } catch (error) {
    failure = error;
  }
  let isDone = false;
  try {
    isDone = isLocked(await readConfigZone(chip));
  } catch (error) {
    throw failure ?? error;
  }
  if (isDone) return;
  throw failure ?? new ProvisioningError("lock_refused", `the chip does not show the ${what} lock`, { what });
}

/**
 * Writes UserExtra or UserExtraAdd: once, and for ever.
 *
 * @param value 0 to 255. A UserExtraAdd other than 0 is the new 8-bit address where ChipMode says so.
 */
export async function updateExtra(
  chip: FactoryChip,
  which: "user-extra" | "user-extra-address",
  value: number,
): Promise<void> {
  await execute(chip, opcodes.updateExtra, which === "user-extra" ? 0x00 : 0x01, value, noData(), 0);
}

/**
 * Engines of SelfTest, as bits of its param1 and of its answer: the vendor's public header, whose 0x3B for all is
 * their sum. (atecc608.md §2 lists ECDSA as 04, which is not part of the 3B it gives for all.)
 */
const selfTestEngines = { rng: 0x01, ecdsa: 0x02, ecdh: 0x08, aes: 0x10, sha: 0x20 } as const;
export type SelfTestEngine = keyof typeof selfTestEngines;
const allEngines = 0x3b;

/**
 * Has the chip test itself, up to 2.4 s at the slow clock.
 *
 * Its answer is a status byte whose bits are the engines that failed, so it looks like any other status. One with
 * bits that are no engine's is an error of the command, and so is 03, which a part without SelfTest gives.
 *
 * @param engines All of them where not said otherwise.
 * @returns The engines that failed; none is the good outcome. Rejects with the driver's error.
 */
export async function selfTest(
  chip: FactoryChip,
  engines: readonly SelfTestEngine[] = engineNames(),
): Promise<readonly SelfTestEngine[]> {
  const asked = engines.reduce((bits, engine) => bits | selfTestEngines[engine], 0);
  try {
    await execute(chip, opcodes.selfTest, asked, 0, noData(), 0);
    return [];
  } catch (error) {
    const status = error instanceof ChipError ? error.facts["status"] : undefined;
    const isBitMap = typeof status === "number" && (status & ~allEngines) === 0;
    if (!isBitMap || status === statuses.success || status === statuses.parseError) throw error;
    return engineNames().filter((engine) => (status & selfTestEngines[engine]) !== 0);
  }
}

function engineNames(): readonly SelfTestEngine[] {
  return Object.keys(selfTestEngines) as SelfTestEngine[];
}
