/** Lock (17): Configuration zone first, then data and OTP; single slots where KeyConfig allows. Nothing unlocks. */

import { crc16 } from "../../crc16.ts";
import type { ChipCore, Command, Outcome } from "../chip-core.ts";
import { done, executionError, parseError, statusAnswer } from "../chip-core.ts";
import { SLOT_LOCK_NEEDS_DATA_LOCK, STATUS_OF_SUMMARY_MISMATCH } from "../doubts.ts";
import { SLOT_COUNT } from "../eeprom.ts";
import { isLockable, isPrivate } from "../slot-policy.ts";

const SKIP_SUMMARY = 0x80;
const LOCK_DATA_BYTE = 86;
const LOCK_CONFIG_BYTE = 87;
const SLOT_LOCKED_BYTE = 88;
const LOCKED = 0x00;

export function lock(core: ChipCore, command: Command): Outcome {
  const { param1, param2, data } = command;
  if (data.length !== 0) return parseError();
  switch (param1 & ~SKIP_SUMMARY) {
    case 0x00:
      return lockConfig(core, param1, param2);
    case 0x01:
      return lockData(core, param1, param2);
    default:
      return (param1 & 0x03) === 0x02 && (param1 & 0x40) === 0
        ? lockSlot(core, (param1 >> 2) & 0x0f)
        : parseError();
  }
}

function lockConfig(core: ChipCore, mode: number, summary: number): Outcome {
  if (core.eeprom.isConfigLocked()) return executionError();
  if ((mode & SKIP_SUMMARY) === 0 && summary !== crc16(core.eeprom.config()))
    return statusAnswer(STATUS_OF_SUMMARY_MISMATCH);
  return done([{ offset: LOCK_CONFIG_BYTE, bytes: Uint8Array.of(LOCKED) }]);
}

function lockData(core: ChipCore, mode: number, summary: number): Outcome {
  if (!core.eeprom.isConfigLocked() || core.eeprom.isDataLocked()) return executionError();
  if ((mode & SKIP_SUMMARY) === 0 && summary !== dataSummary(core))
    return statusAnswer(STATUS_OF_SUMMARY_MISMATCH);
  return done([{ offset: LOCK_DATA_BYTE, bytes: Uint8Array.of(LOCKED) }]);
}

/** CRC over the slots in order, private ones left out, then OTP. */
function dataSummary(core: ChipCore): number {
  const parts: number[] = [];
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    if (!isPrivate(core, slot)) parts.push(...core.eeprom.slot(slot));
  }
  parts.push(...core.eeprom.otp());
  return crc16(Uint8Array.from(parts));
}

function lockSlot(core: ChipCore, slot: number): Outcome {
  const { eeprom } = core;
  if (!eeprom.isConfigLocked() || (SLOT_LOCK_NEEDS_DATA_LOCK && !eeprom.isDataLocked()))
    return executionError();
  if (!isLockable(core, slot) || eeprom.isSlotLocked(slot)) return executionError();
  const offset = SLOT_LOCKED_BYTE + (slot >> 3);
  return done([{ offset, bytes: Uint8Array.of(eeprom.configByte(offset) & ~(1 << (slot & 7))) }]);
}
