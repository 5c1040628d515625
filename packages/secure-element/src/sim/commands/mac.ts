/**
 * MAC (08) and CheckMac (28): SHA-256 over a secret and a challenge, given or compared; GenDig (15): a secret mixed
 * into TempKey. Message layouts are those the vendor's host library computes on its own side.
 */

import type { ChipCore, Command, Outcome } from "../chip-core.ts";
import { answer, done, executionError, parseError, statusAnswer } from "../chip-core.ts";
import { SLOT_COUNT } from "../eeprom.ts";
import { opcode } from "../opcodes.ts";
import { sha256Of } from "../sim-crypto.ts";
import { isNoMac, isPrivate, isUseAllowed } from "../slot-policy.ts";
import { chipStatus } from "../status.ts";
import { fixedTempKey } from "../volatile-state.ts";
import { consumeDigest } from "./used-digest.ts";

const SECOND_FROM_TEMP_KEY = 0x01;
const FIRST_FROM_TEMP_KEY = 0x02;
const SOURCE_IS_FIXED = 0x04;
const FULL_SERIAL = 0x40;
const USES_TEMP_KEY = SECOND_FROM_TEMP_KEY | FIRST_FROM_TEMP_KEY;

/** First and second block, 32 bytes each; undefined where TempKey or the slot may not serve. */
function twoBlocks(
  core: ChipCore,
  command: Command,
  challenge: Uint8Array,
): readonly [Uint8Array, Uint8Array] | undefined {
  const { param1: mode, param2: slot } = command;
  const tempKey = core.volatile.tempKey;
  if ((mode & USES_TEMP_KEY) !== 0) {
    const wanted = (mode & SOURCE_IS_FIXED) !== 0 ? "fixed" : "random";
    if (tempKey === undefined || tempKey.noMac || tempKey.source !== wanted) return undefined;
  }
  const held = tempKey?.value.subarray(0, 32);
  const first = (mode & FIRST_FROM_TEMP_KEY) !== 0 ? held : slotSecret(core, slot);
  const second = (mode & SECOND_FROM_TEMP_KEY) !== 0 ? held : challenge;
  return first === undefined || second === undefined ? undefined : [first, second];
}

function slotSecret(core: ChipCore, slot: number): Uint8Array | undefined {
  return isPrivate(core, slot) ? undefined : core.eeprom.slot(slot).slice(0, 32);
}

const areLocked = (core: ChipCore): boolean => core.eeprom.isConfigLocked() && core.eeprom.isDataLocked();

export function mac(core: ChipCore, command: Command): Outcome {
  const { param1: mode, param2: slot, data } = command;
  if ((mode & ~(USES_TEMP_KEY | SOURCE_IS_FIXED | FULL_SERIAL)) !== 0 || slot >= SLOT_COUNT)
    return parseError();
  if (data.length !== ((mode & SECOND_FROM_TEMP_KEY) !== 0 ? 0 : 32)) return parseError();
  if (!areLocked(core) || isNoMac(core, slot) || !isUseAllowed(core, slot)) return executionError();
  const blocks = twoBlocks(core, command, data);
  if (blocks === undefined) return executionError();

  const serial = core.eeprom.serial();
  const isFull = (mode & FULL_SERIAL) !== 0;
  const result = sha256Of(core.crypto, [
    ...blocks,
    Uint8Array.of(opcode.mac, mode, slot & 0xff, slot >> 8),
    new Uint8Array(11),
    serial.subarray(8, 9),
    isFull ? serial.subarray(4, 8) : new Uint8Array(4),
    serial.subarray(0, 2),
    isFull ? serial.subarray(2, 4) : new Uint8Array(2),
  ]);
  if ((mode & USES_TEMP_KEY) !== 0) consumeDigest(core, command, "TempKey");
  return answer(result);
}

/** Data: challenge 32, the other side's answer 32, and 13 bytes the other side mixed in. */
export function checkMac(core: ChipCore, command: Command): Outcome {
  const { param1: mode, param2: slot, data } = command;
  if ((mode & ~(USES_TEMP_KEY | SOURCE_IS_FIXED)) !== 0 || slot >= SLOT_COUNT || data.length !== 77)
    return parseError();
  if (!areLocked(core)) return executionError();
  const blocks = twoBlocks(core, command, data.subarray(0, 32));
  if (blocks === undefined) return executionError();

  const serial = core.eeprom.serial();
  const other = data.subarray(64);
  const expected = sha256Of(core.crypto, [
    ...blocks,
    other.subarray(0, 4),
    new Uint8Array(8),
    other.subarray(4, 7),
    serial.subarray(8, 9),
    other.subarray(7, 11),
    serial.subarray(0, 2),
    other.subarray(11, 13),
  ]);
  if ((mode & USES_TEMP_KEY) !== 0) consumeDigest(core, command, "TempKey");
  const isEqual = expected.every((byte, index) => byte === data[32 + index]);
  if ((mode & FIRST_FROM_TEMP_KEY) === 0) core.volatile.authorisedBySlot = isEqual ? slot : undefined;
  return isEqual ? done() : statusAnswer(chipStatus.miscompare);
}

/** Zones configuration, OTP and data; shared nonce, counter and key configuration (3, 4, 5) are not done. */
export function genDig(core: ChipCore, command: Command): Outcome {
  const { param1: zone, param2, data } = command;
  if (zone > 0x02) return parseError();
  const isFromSlot = zone === 0x02;
  const ownHeader = isFromSlot && param2 < SLOT_COUNT && isNoMac(core, param2);
  if (data.length !== (ownHeader ? 4 : 0)) return parseError();
  const stored = zoneBlock(core, zone, param2);
  if (stored === undefined) return parseError();
  const before = core.volatile.tempKey;
  if (!areLocked(core) || before === undefined) return executionError();
  if (isFromSlot && (isPrivate(core, param2) || !isUseAllowed(core, param2))) return executionError();

  const serial = core.eeprom.serial();
  const value = sha256Of(core.crypto, [
    stored,
    ownHeader ? data : Uint8Array.of(opcode.genDig, zone, param2 & 0xff, param2 >> 8),
    serial.subarray(8, 9),
    serial.subarray(0, 2),
    new Uint8Array(25),
    before.value.subarray(0, 32),
  ]);
  core.volatile.tempKey = {
    ...fixedTempKey(value),
    source: before.source,
    keyId: isFromSlot ? param2 : 0,
    genDigData: isFromSlot,
    noMac: before.noMac || ownHeader,
  };
  return done();
}

function zoneBlock(core: ChipCore, zone: number, param2: number): Uint8Array | undefined {
  if (zone === 0x02) return param2 < SLOT_COUNT ? core.eeprom.slot(param2).slice(0, 32) : undefined;
  const bytes = zone === 0x00 ? core.eeprom.config() : core.eeprom.otp();
  const block = bytes.slice(param2 * 32, param2 * 32 + 32);
  return block.length === 32 ? block : undefined;
}
