/**
 * Where a Read or Write points. Configuration and OTP: block << 3 | word. Data: block << 8 | slot << 3 | word.
 * A 32-byte access ignores the word.
 */

import type { Command } from "../chip-core.ts";
import { CONFIG_BYTES, OTP_BYTES, otpOffset, slotOffset, slotSize } from "../eeprom.ts";

const BLOCK_BYTES = 32;

export interface ZoneAddress {
  readonly zone: "config" | "otp" | "data";
  /** Data zone only; 0 elsewhere. */
  readonly slot: number;
  /** From the start of the EEPROM. */
  readonly offset: number;
  /** From the start of the zone, or slot. */
  readonly within: number;
  /** 4 or 32: what the access asks for. */
  readonly length: number;
  /** What there is of it: a slot's last block may be short. */
  readonly present: number;
}

/** @param zoneBits param1 without flags other than 80 (32 bytes). @returns undefined where there is no such place. */
export function findZoneAddress(zoneBits: number, address: Command["param2"]): ZoneAddress | undefined {
  const length = (zoneBits & 0x80) !== 0 ? BLOCK_BYTES : 4;
  const word = length === BLOCK_BYTES ? 0 : address & 0x07;
  switch (zoneBits & 0x7f) {
    case 0x00:
      return flat("config", 0, CONFIG_BYTES, address, word, length);
    case 0x01:
      return flat("otp", otpOffset(), OTP_BYTES, address, word, length);
    case 0x02: {
      const slot = (address >> 3) & 0x0f;
      const within = (address >> 8) * BLOCK_BYTES + word * 4;
      if ((address & 0x80) !== 0 || within >= slotSize(slot)) return undefined;
      return place("data", slot, slotOffset(slot), slotSize(slot), within, length);
    }
    default:
      return undefined;
  }
}

function flat(
  zone: "config" | "otp",
  start: number,
  size: number,
  address: number,
  word: number,
  length: number,
): ZoneAddress | undefined {
  const within = (address >> 3) * BLOCK_BYTES + word * 4;
  return within >= size ? undefined : place(zone, 0, start, size, within, length);
}

function place(
  zone: ZoneAddress["zone"],
  slot: number,
  start: number,
  size: number,
  within: number,
  length: number,
): ZoneAddress {
  return { zone, slot, offset: start + within, within, length, present: Math.min(length, size - within) };
}
