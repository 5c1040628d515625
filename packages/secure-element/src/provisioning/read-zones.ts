/**
 * Reading the zones. The Configuration zone always reads; data and OTP only once the data zone is locked.
 */
import { opcodes } from "../atecc608/opcodes.ts";
import { configZoneBytes } from "./config-zone.ts";
import { execute, type FactoryChip, noData } from "./factory-chip.ts";
import {
  blockAccess,
  blockBytes,
  otpBytes,
  slotAddress,
  slotBytes,
  wordBytes,
  zoneAddress,
  zones,
} from "./zone-address.ts";

/** @returns 128 bytes. Rejects with the driver's error. */
export async function readConfigBytes(chip: FactoryChip): Promise<Uint8Array> {
  return await readZone(chip, zones.config, configZoneBytes);
}

/** @returns 64 bytes. Rejects with the driver's error while the data zone is open. */
export async function readOtp(chip: FactoryChip): Promise<Uint8Array> {
  return await readZone(chip, zones.otp, otpBytes);
}

async function readZone(chip: FactoryChip, zone: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += blockBytes) {
    bytes.set(
      await execute(chip, opcodes.read, zone | blockAccess, zoneAddress(at), noData(), blockBytes),
      at,
    );
  }
  return bytes;
}

/**
 * The whole content of a slot: by blocks, its short end by words.
 *
 * @returns 36, 416 or 72 bytes. Rejects with the driver's error where the slot does not read.
 */
export async function readSlot(chip: FactoryChip, slot: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(slotBytes(slot));
  let at = 0;
  while (at < bytes.length) {
    const isBlock = bytes.length - at >= blockBytes;
    const zone = isBlock ? zones.data | blockAccess : zones.data;
    const length = isBlock ? blockBytes : wordBytes;
    bytes.set(await execute(chip, opcodes.read, zone, slotAddress(slot, at), noData(), length), at);
    at += length;
  }
  return bytes;
}
