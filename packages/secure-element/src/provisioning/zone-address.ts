/**
 * Where things are: sizes of zones and slots, and the address word of Read and Write (atecc608.md §2.1).
 */
import { slotCount } from "./config-zone.ts";
import { ProvisioningError } from "./provisioning-error.ts";

export const zones = { config: 0, otp: 1, data: 2 } as const;

/** Bit of param1: the access is 32 bytes and not 4. */
export const blockAccess = 0x80;

export const blockBytes = 32;
export const wordBytes = 4;
export const otpBytes = 64;

/** @param slot 0 to 15. @returns How many bytes it holds. @throws {ProvisioningError} `zone_address_invalid`. */
export function slotBytes(slot: number): number {
  if (!Number.isInteger(slot) || slot < 0 || slot >= slotCount) {
    throw new ProvisioningError("zone_address_invalid", `there is no slot ${slot}`, { slot });
  }
  return slot < 8 ? 36 : slot === 8 ? 416 : 72;
}

/** Address in the Configuration or OTP zone. @param at Byte offset, a multiple of 4. */
export function zoneAddress(at: number): number {
  return (Math.floor(at / blockBytes) << 3) | (Math.floor(at / wordBytes) & 7);
}

/** Address in the data zone. @param at Byte offset in the slot, a multiple of 4. */
export function slotAddress(slot: number, at: number): number {
  return (Math.floor(at / blockBytes) << 8) | (slot << 3) | (Math.floor(at / wordBytes) & 7);
}
