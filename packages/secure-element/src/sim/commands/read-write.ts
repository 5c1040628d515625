/** Read (02) and Write (12), in clear. Encrypted access is not done: slots that ask for it answer 0F. */

import type { ChipCore, Command, Outcome } from "../chip-core.ts";
import { answer, done, executionError, parseError } from "../chip-core.ts";
import { OTP_TAKES_WORDS_BEFORE_LOCK, SHORT_BLOCK_FILL_BYTE, VALIDATED_NIBBLE } from "../doubts.ts";
import { isPrivate, isReadEncrypted, isSecret, writeConfig } from "../slot-policy.ts";
import type { ZoneAddress } from "./zone-address.ts";
import { findZoneAddress } from "./zone-address.ts";

export function read(core: ChipCore, command: Command): Outcome {
  const place = findZoneAddress(command.param1, command.param2);
  if (place === undefined || command.data.length !== 0) return parseError();
  if (!mayRead(core, place)) return executionError();
  const data = new Uint8Array(place.length).fill(SHORT_BLOCK_FILL_BYTE);
  data.set(core.eeprom.bytes.subarray(place.offset, place.offset + place.present));
  return answer(data);
}

function mayRead(core: ChipCore, place: ZoneAddress): boolean {
  if (place.zone === "config") return true;
  if (!core.eeprom.isDataLocked()) return false;
  if (place.zone === "otp") return true;
  return !isPrivate(core, place.slot) && !isSecret(core, place.slot) && !isReadEncrypted(core, place.slot);
}

export function write(core: ChipCore, command: Command): Outcome {
  const place = findZoneAddress(command.param1, command.param2);
  if (place === undefined || command.data.length !== place.length) return parseError();
  if (!mayWrite(core, place)) return executionError();
  // What a short last block cannot hold is ignored: the vendor's own device test says so.
  return done([{ offset: place.offset, bytes: command.data.slice(0, place.present) }]);
}

function mayWrite(core: ChipCore, place: ZoneAddress): boolean {
  switch (place.zone) {
    case "config":
      return !core.eeprom.isConfigLocked() && isConfigWritable(place);
    case "otp":
      return isOpen(core) && (place.length === 32 || OTP_TAKES_WORDS_BEFORE_LOCK);
    case "data":
      return mayWriteSlot(core, place);
  }
}

/** Between the two locks. */
function isOpen(core: ChipCore): boolean {
  return core.eeprom.isConfigLocked() && !core.eeprom.isDataLocked();
}

/** All but bytes 0-15, which the factory wrote, and 84-87, which belong to UpdateExtra and Lock. */
function isConfigWritable(place: ZoneAddress): boolean {
  const end = place.within + place.length;
  return place.within >= 16 && (end <= 84 || place.within >= 88);
}

function mayWriteSlot(core: ChipCore, place: ZoneAddress): boolean {
  const { slot } = place;
  if (!core.eeprom.isConfigLocked() || isPrivate(core, slot) || core.eeprom.isSlotLocked(slot)) return false;
  if (!core.eeprom.isDataLocked()) return place.length === 32;
  switch (writeConfig(core, slot)) {
    case 0x0:
      return true;
    case 0x1:
      return (core.eeprom.slot(slot)[0] ?? 0) >> 4 !== VALIDATED_NIBBLE;
    default:
      return false;
  }
}
