/**
 * What the chip remembers without power: Configuration zone, OTP zone and sixteen slots, as one run of bytes.
 *
 * One run, because everything else is simpler for it: an image is a copy, a write is an offset and some bytes, and a
 * write torn by a power cut is a prefix. A private key lives in its slot as four zero bytes and 32 of key; no command
 * reads it out because the slot's KeyConfig says Private, as in the chip.
 */

import { LOCK_BYTE_OPEN } from "./doubts.ts";

export const CONFIG_BYTES = 128;
export const OTP_BYTES = 64;
export const SLOT_COUNT = 16;
/** Configuration 128, OTP 64, slots 8 × 36 + 416 + 7 × 72. */
export const EEPROM_BYTES = 1400;

const OTP_OFFSET = CONFIG_BYTES;
const SLOTS_OFFSET = OTP_OFFSET + OTP_BYTES;

/** Bytes to change when a command completes; `offset` counts from the start of the EEPROM. */
export interface EepromWrite {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export function slotSize(slot: number): number {
  if (slot < 8) return 36;
  return slot === 8 ? 416 : 72;
}

export function slotOffset(slot: number): number {
  if (slot <= 8) return SLOTS_OFFSET + slot * 36;
  return SLOTS_OFFSET + 8 * 36 + 416 + (slot - 9) * 72;
}

export const otpOffset = (): number => OTP_OFFSET;

/** Views and questions; nothing here changes a byte but {@link Eeprom.apply}. */
export class Eeprom {
  readonly bytes: Uint8Array;
  /** How many writes have landed: a keeper of images sees by it whether there is something to save. */
  changes = 0;

  /** @param bytes {@link EEPROM_BYTES} of them; copied. @throws {RangeError} Another length. */
  constructor(bytes: Uint8Array) {
    if (bytes.length !== EEPROM_BYTES)
      throw new RangeError(`an EEPROM has ${String(EEPROM_BYTES)} bytes, not ${String(bytes.length)}`);
    this.bytes = bytes.slice();
  }

  apply(write: EepromWrite): void {
    this.bytes.set(write.bytes, write.offset);
    this.changes += 1;
  }

  configByte(index: number): number {
    return this.bytes[index] ?? 0;
  }

  config(): Uint8Array {
    return this.bytes.subarray(0, CONFIG_BYTES);
  }

  otp(): Uint8Array {
    return this.bytes.subarray(OTP_OFFSET, OTP_OFFSET + OTP_BYTES);
  }

  slot(slot: number): Uint8Array {
    return this.bytes.subarray(slotOffset(slot), slotOffset(slot) + slotSize(slot));
  }

  isConfigLocked(): boolean {
    return this.configByte(87) !== LOCK_BYTE_OPEN;
  }

  isDataLocked(): boolean {
    return this.configByte(86) !== LOCK_BYTE_OPEN;
  }

  isSlotLocked(slot: number): boolean {
    return ((this.#word(88) >> slot) & 1) === 0;
  }

  slotConfig(slot: number): number {
    return this.#word(20 + 2 * slot);
  }

  keyConfig(slot: number): number {
    return this.#word(96 + 2 * slot);
  }

  /** SN[0:8], the chip serial number. */
  serial(): Uint8Array {
    const serial = new Uint8Array(9);
    serial.set(this.bytes.subarray(0, 4), 0);
    serial.set(this.bytes.subarray(8, 13), 4);
    return serial;
  }

  /** The revision bytes tell the part: 00 00 50 xx is a 508A, 00 00 60 xx a 608. */
  isOldPart(): boolean {
    return this.configByte(6) === 0x50;
  }

  #word(index: number): number {
    return this.configByte(index) | (this.configByte(index + 1) << 8);
  }
}
