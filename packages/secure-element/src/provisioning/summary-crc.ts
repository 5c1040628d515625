/**
 * The summaries that go along with a lock: the chip locks only if its own sum is the same, so that no disturbed
 * write is ever locked in (atecc608.md §2.1, "Lock").
 */
import { crc16 } from "../crc16.ts";
import { type ConfigZone, slotCount } from "./config-zone.ts";
import { paddedContent, paddedOtp } from "./write-zones.ts";

/** @param bytes The whole zone as read, its lock byte still open. @returns 0 to 0xFFFF. */
export function configSummaryCrc(bytes: Uint8Array): number {
  return crc16(bytes);
}

/** What the data and OTP zones shall hold. A slot not named is filled with 0, and so is the rest of any. */
export interface ZoneContents {
  readonly slots: ReadonlyMap<number, Uint8Array>;
  /** 64 bytes at most. */
  readonly otp: Uint8Array;
}

/** Slots that are summed and written: all but those with a private key, in rising order. */
export function contentSlots(zone: Pick<ConfigZone, "slots">): readonly number[] {
  return Array.from({ length: slotCount }, (_, slot) => slot).filter(
    (slot) => zone.slots[slot]?.key.isPrivate !== true,
  );
}

/**
 * @returns The sum over both zones once they are filled so, 0 to 0xFFFF.
 * @throws {ProvisioningError} `zone_address_invalid`: a content is too long.
 */
export function dataSummaryCrc(zone: Pick<ConfigZone, "slots">, contents: ZoneContents): number {
  let crc = 0;
  for (const slot of contentSlots(zone)) {
    const padded = paddedContent(slot, contents.slots.get(slot) ?? new Uint8Array(0));
    crc = crc16(padded, 0, padded.length, crc);
  }
  const otp = paddedOtp(contents.otp);
  return crc16(otp, 0, otp.length, crc);
}
