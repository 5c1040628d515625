/** Sign (41): a digest from outside, or the chip's own 55-byte statement about what is in TempKey. */

import type { ChipCore, Command, Outcome } from "../chip-core.ts";
import { answer, executionError, isNewPart, parseError, statusAnswer } from "../chip-core.ts";
import { SIGN_INTERNAL_NEEDS_DERIVED_TEMP_KEY, STATUS_OF_BLANK_PRIVATE_SLOT } from "../doubts.ts";
import { SLOT_COUNT } from "../eeprom.ts";
import { opcode } from "../opcodes.ts";
import { sha256Of } from "../sim-crypto.ts";
import {
  isP256Private,
  isUseAllowed,
  maySignExternal,
  maySignInternal,
  privateKeyBytes,
} from "../slot-policy.ts";
import { chipStatus } from "../status.ts";
import type { TempKey } from "../volatile-state.ts";
import type { DigestStore } from "./used-digest.ts";
import { consumeDigest, digestIn } from "./used-digest.ts";

const EXTERNAL = 0x80;
const FROM_DIGEST_BUFFER = 0x20;
const FULL_SERIAL = 0x40;
const FOR_INVALIDATE = 0x01;

export function sign(core: ChipCore, command: Command): Outcome {
  const { param1: mode, param2: slot, data } = command;
  if (slot >= SLOT_COUNT || data.length !== 0) return parseError();
  const isExternal = (mode & EXTERNAL) !== 0;
  const allowed = isExternal ? EXTERNAL | FROM_DIGEST_BUFFER : FULL_SERIAL | FOR_INVALIDATE;
  if ((mode & ~allowed) !== 0) return parseError();
  if ((mode & FROM_DIGEST_BUFFER) !== 0 && !isNewPart(core)) return parseError();

  if (!core.eeprom.isConfigLocked() || !core.eeprom.isDataLocked()) return executionError();
  if (!isP256Private(core, slot)) return executionError();
  if (!(isExternal ? maySignExternal(core, slot) : maySignInternal(core, slot))) return executionError();
  if (!isUseAllowed(core, slot)) return executionError();
  return isExternal ? signExternal(core, command) : signInternal(core, command);
}

function signExternal(core: ChipCore, command: Command): Outcome {
  const store = (command.param1 & FROM_DIGEST_BUFFER) !== 0 ? "Message Digest Buffer" : "TempKey";
  const digest = digestIn(core, store);
  return digest === undefined ? executionError() : signDigest(core, command, digest, store);
}

function signInternal(core: ChipCore, command: Command): Outcome {
  const tempKey = core.volatile.tempKey;
  if (tempKey === undefined || tempKey.value.length !== 32) return executionError();
  if (SIGN_INTERNAL_NEEDS_DERIVED_TEMP_KEY && !tempKey.genKeyData && !tempKey.genDigData)
    return executionError();
  const digest = sha256Of(core.crypto, [internalMessage(core, command, tempKey)]);
  return signDigest(core, command, digest, "TempKey");
}

/** The 55 bytes of reference §2.1, in its order. */
function internalMessage(core: ChipCore, command: Command, tempKey: TempKey): Uint8Array {
  const { eeprom } = core;
  const serial = eeprom.serial();
  const about = tempKey.keyId;
  const message = new Uint8Array(55);
  message.set(tempKey.value, 0);
  message.set([opcode.sign, command.param1, command.param2 & 0xff, command.param2 >> 8], 32);
  message.set([eeprom.slotConfig(about) & 0xff, eeprom.slotConfig(about) >> 8], 36);
  message.set([eeprom.keyConfig(about) & 0xff, eeprom.keyConfig(about) >> 8], 38);
  message[40] =
    about |
    (tempKey.source === "fixed" ? 0x10 : 0) |
    (tempKey.genDigData ? 0x20 : 0) |
    (tempKey.genKeyData ? 0x40 : 0) |
    (tempKey.noMac ? 0x80 : 0);
  message.set(serial.subarray(8, 9), 43);
  message.set(serial.subarray(0, 2), 48);
  if ((command.param1 & FULL_SERIAL) !== 0) {
    message.set(serial.subarray(4, 8), 44);
    message.set(serial.subarray(2, 4), 50);
  }
  message[52] = eeprom.isSlotLocked(about) ? 0 : 1;
  message[53] = (command.param1 & FOR_INVALIDATE) !== 0 ? 1 : 0;
  return message;
}

function signDigest(core: ChipCore, command: Command, digest: Uint8Array, store: DigestStore): Outcome {
  const key = privateKeyBytes(core, command.param2);
  if (core.crypto.publicKeyOf(key) === undefined) return statusAnswer(STATUS_OF_BLANK_PRIVATE_SLOT);
  const signature = core.crypto.signDigest(key, digest, core.drawK());
  consumeDigest(core, command, store);
  return signature === undefined ? statusAnswer(chipStatus.eccFault) : answer(signature);
}
