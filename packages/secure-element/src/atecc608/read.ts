/**
 * Read (atecc608.md §2.1). Configuration and OTP: address = block‹‹3 | word; data: block‹‹8 | slot‹‹3 | word.
 */
import { ChipError } from "./chip-error.ts";
import type { CommandPort } from "./command-port.ts";
import { opcodes } from "./opcodes.ts";
import { mustBeSlot } from "./sign.ts";

const zones = { config: 0x00, otp: 0x01, data: 0x02 } as const;
const BLOCK_ACCESS = 0x80;
const BLOCK_BYTES = 32;
const WORD_BYTES = 4;
export const CONFIG_ZONE_BYTES = 128;
export const SERIAL_NUMBER_BYTES = 9;

/** @returns The chip serial number, 9 bytes: SN[0:3] and SN[4:8] lie apart in the Configuration zone. */
export async function readSerialNumber(port: CommandPort): Promise<Uint8Array> {
  const block = await readBlock(port, zones.config, 0);
  const serialNumber = new Uint8Array(SERIAL_NUMBER_BYTES);
  serialNumber.set(block.subarray(0, 4), 0);
  serialNumber.set(block.subarray(8, 13), 4);
  return serialNumber;
}

/** @returns The 128 bytes of the Configuration zone, which always reads. */
export async function readConfigZone(port: CommandPort): Promise<Uint8Array> {
  return await port.together(async (chip) => {
    const bytes = new Uint8Array(CONFIG_ZONE_BYTES);
    for (let block = 0; block < CONFIG_ZONE_BYTES / BLOCK_BYTES; block++) {
      bytes.set(await readBlock(chip, zones.config, block << 3), block * BLOCK_BYTES);
    }
    return bytes;
  });
}

/** @param offset 0 to 124, a multiple of 4. @returns Four bytes of the Configuration zone. */
export async function readConfigWord(port: CommandPort, offset: number): Promise<Uint8Array> {
  if (offset % WORD_BYTES !== 0 || offset < 0 || offset >= CONFIG_ZONE_BYTES) {
    throw new ChipError("request_invalid", "a word of the Configuration zone starts at 0, 4, … 124", {
      offset,
    });
  }
  return await port.execute(opcodes.read, zones.config, offset / WORD_BYTES, new Uint8Array(0), WORD_BYTES);
}

/**
 * Reads a slot in clear: whole blocks while they fit, then words.
 *
 * @param offset Where to start: a multiple of 32. @param length A multiple of 4.
 * @throws {ChipError} (rejects) `chip_status_execution`: the data zone is not locked, or the slot is secret.
 */
export async function readSlot(
  port: CommandPort,
  slot: number,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  mustBeSlot(slot);
  if (
    offset % BLOCK_BYTES !== 0 ||
    length % WORD_BYTES !== 0 ||
    offset < 0 ||
    length < 0 ||
    offset + length > slotBytes(slot)
  ) {
    throw new ChipError("request_invalid", "not a range of whole words in this slot", {
      slot,
      offset,
      length,
    });
  }
  return await port.together(async (chip) => {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const position = offset + at;
      const address = ((position >> 5) << 8) | (slot << 3) | ((position >> 2) & 0x07);
      const isBlock = length - at >= BLOCK_BYTES;
      const part = isBlock
        ? await readBlock(chip, zones.data, address)
        : await chip.execute(opcodes.read, zones.data, address, new Uint8Array(0), WORD_BYTES);
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  });
}

/** @returns 36, 416 or 72: slots are not alike. */
export function slotBytes(slot: number): number {
  return slot < 8 ? 36 : slot === 8 ? 416 : 72;
}

async function readBlock(port: CommandPort, zone: number, address: number): Promise<Uint8Array> {
  return await port.execute(opcodes.read, zone | BLOCK_ACCESS, address, new Uint8Array(0), BLOCK_BYTES);
}
