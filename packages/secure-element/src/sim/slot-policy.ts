/** SlotConfig and KeyConfig as questions, at the bits of the configuration zone (bit 13 GenKey, not the vendor's macros). */

import type { ChipCore } from "./chip-core.ts";
import { LATCH_ENABLE_BIT } from "./doubts.ts";
import { slotSize } from "./eeprom.ts";

const KEY_TYPE_P256 = 4;

const keyType = (core: ChipCore, slot: number): number => (core.eeprom.keyConfig(slot) >> 2) & 7;

/** KeyConfig.Private, whatever the key type: never readable, skipped by the data summary. */
export function isPrivate(core: ChipCore, slot: number): boolean {
  return (core.eeprom.keyConfig(slot) & 0x01) !== 0;
}

export function isP256Private(core: ChipCore, slot: number): boolean {
  return isPrivate(core, slot) && keyType(core, slot) === KEY_TYPE_P256;
}

export function isP256Public(core: ChipCore, slot: number): boolean {
  return !isPrivate(core, slot) && keyType(core, slot) === KEY_TYPE_P256 && slotSize(slot) >= 72;
}

/** KeyConfig.PubInfo of a private slot: its public key may be computed. */
export const mayComputePublicKey = (core: ChipCore, slot: number): boolean =>
  (core.eeprom.keyConfig(slot) & 0x02) !== 0;
export const isLockable = (core: ChipCore, slot: number): boolean =>
  (core.eeprom.keyConfig(slot) & 0x20) !== 0;
export const maySignExternal = (core: ChipCore, slot: number): boolean =>
  (core.eeprom.slotConfig(slot) & 0x01) !== 0;
export const maySignInternal = (core: ChipCore, slot: number): boolean =>
  (core.eeprom.slotConfig(slot) & 0x02) !== 0;
/** SlotConfig bit 13: GenKey may overwrite after the data zone is locked. */
export const mayGenKeyAfterLock = (core: ChipCore, slot: number): boolean =>
  (core.eeprom.slotConfig(slot) & 0x2000) !== 0;
export const isNoMac = (core: ChipCore, slot: number): boolean => (core.eeprom.slotConfig(slot) & 0x10) !== 0;
export const isSecret = (core: ChipCore, slot: number): boolean =>
  (core.eeprom.slotConfig(slot) & 0x80) !== 0;
export const isReadEncrypted = (core: ChipCore, slot: number): boolean =>
  (core.eeprom.slotConfig(slot) & 0x40) !== 0;
export const writeConfig = (core: ChipCore, slot: number): number => core.eeprom.slotConfig(slot) >> 12;

/** KeyConfig.ReqAuth and PersistentDisable: whether what they ask for has happened. */
export function isUseAllowed(core: ChipCore, slot: number): boolean {
  const keyConfig = core.eeprom.keyConfig(slot);
  const needsAuthorisation = (keyConfig & 0x80) !== 0;
  if (needsAuthorisation && core.volatile.authorisedBySlot !== ((keyConfig >> 8) & 0x0f)) return false;
  const obeysLatch = (keyConfig & 0x1000) !== 0;
  return !obeysLatch || core.persistentLatch === 1;
}

export function mayDriveLatch(core: ChipCore): boolean {
  return (core.eeprom.configByte(69) & LATCH_ENABLE_BIT) !== 0;
}

/** @returns The 32 bytes of a private slot, good key or not. */
export function privateKeyBytes(core: ChipCore, slot: number): Uint8Array {
  return core.eeprom.slot(slot).slice(4, 36);
}

/** @returns X‖Y out of a slot's padded form: 4 zero bytes, X, 4 zero bytes, Y. */
export function storedPublicKey(core: ChipCore, slot: number): Uint8Array {
  const bytes = core.eeprom.slot(slot);
  const key = new Uint8Array(64);
  key.set(bytes.subarray(4, 36), 0);
  key.set(bytes.subarray(40, 72), 32);
  return key;
}
