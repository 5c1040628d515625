/**
 * The small commands of a factory: keys, locks, UpdateExtra, SelfTest (atecc608.md §2).
 */
import { type ChipCommandPort, noData, opcodes } from "./command-port.ts";
import {
  type ConfigZone,
  decodeConfigZone,
  isConfigLocked,
  isDataLocked,
  isSlotLocked,
} from "./config-zone.ts";
import { ProvisioningError } from "./provisioning-error.ts";
import { readConfigBytes } from "./read-zones.ts";

/** Bits of GenKey's param1. */
export const genKeyModes = { computePublic: 0x00, createPrivate: 0x04, digest: 0x08 } as const;

/**
 * Makes a new private key in a slot; whatever key was there is gone from the moment the chip starts.
 *
 * @returns Its public key, X‖Y, 64 bytes. Rejects with the driver's error where the slot forbids it.
 */
export async function createKey(chip: ChipCommandPort, slot: number): Promise<Uint8Array> {
  return await chip.execute(opcodes.genKey, genKeyModes.createPrivate, slot, noData(), 64);
}

/** @returns The public key X‖Y of the private key in the slot, 64 bytes, if PubInfo allows. */
export async function computePublicKey(chip: ChipCommandPort, slot: number): Promise<Uint8Array> {
  return await chip.execute(opcodes.genKey, genKeyModes.computePublic, slot, noData(), 64);
}

/** Does the private slot hold a key? Which of the four bytes says so is in doubt, so any does (§2.1). */
export async function hasKey(chip: ChipCommandPort, slot: number): Promise<boolean> {
  const answer = await chip.execute(opcodes.info, 0x01, slot, noData(), 4);
  return answer.some((byte) => byte !== 0);
}

/** @returns The configuration as the chip holds it now. */
export async function readConfigZone(chip: ChipCommandPort): Promise<ConfigZone> {
  return decodeConfigZone(await readConfigBytes(chip));
}

/**
 * Locks the Configuration zone for ever, if it still holds what the CRC was made of.
 *
 * A lock is believed when its byte says so, and not when a command was answered.
 *
 * @param summaryCrc Over the 128 bytes as they were read.
 * @throws {ProvisioningError} `lock_refused`. Rejects with the driver's error too.
 */
export async function lockConfigZone(chip: ChipCommandPort, summaryCrc: number): Promise<void> {
  await chip.execute(opcodes.lock, 0x00, summaryCrc, noData(), 0);
  if (!isConfigLocked(await readConfigZone(chip))) throw lockRefused("configuration");
}

/**
 * Locks the data and OTP zones for ever, if they still hold what the CRC was made of.
 *
 * @throws {ProvisioningError} `lock_refused`. Rejects with the driver's error too.
 */
export async function lockDataZone(chip: ChipCommandPort, summaryCrc: number): Promise<void> {
  await chip.execute(opcodes.lock, 0x01, summaryCrc, noData(), 0);
  if (!isDataLocked(await readConfigZone(chip))) throw lockRefused("data");
}

/**
 * Locks one slot for ever; there is no summary for a slot.
 *
 * @throws {ProvisioningError} `lock_refused`. Rejects with the driver's error too.
 */
export async function lockSlot(chip: ChipCommandPort, slot: number): Promise<void> {
  await chip.execute(opcodes.lock, 0x02 | (slot << 2), 0, noData(), 0);
  if (!isSlotLocked(await readConfigZone(chip), slot)) throw lockRefused(`slot ${slot}`);
}

function lockRefused(what: string): ProvisioningError {
  return new ProvisioningError("lock_refused", `the chip does not show the ${what} lock`, { what });
}

/**
 * Writes UserExtra or UserExtraAdd: once, and for ever.
 *
 * @param value 0 to 255. A UserExtraAdd other than 0 is the new 8-bit address where ChipMode says so.
 */
export async function updateExtra(
  chip: ChipCommandPort,
  which: "user-extra" | "user-extra-address",
  value: number,
): Promise<void> {
  await chip.execute(opcodes.updateExtra, which === "user-extra" ? 0x00 : 0x01, value, noData(), 0);
}

/** Engines of SelfTest, as bits of its param1. */
export const selfTestEngines = { rng: 0x01, ecdsa: 0x04, ecdh: 0x08, aes: 0x10, sha: 0x20 } as const;
export type SelfTestEngine = keyof typeof selfTestEngines;
