/**
 * Writing the zones, by the rules of atecc608.md §2.1.
 *
 * The Configuration zone is written where it differs and nowhere else: words in blocks 0 and 2, whole blocks 1
 * and 3, bytes 84-87 never. An open data zone takes 32-byte writes alone, and ignores what hangs over the end of a
 * slot; a locked one takes words too, where the slot's WriteConfig lets it.
 */
import { opcodes } from "../atecc608/opcodes.ts";
import { type ConfigZone, encodeConfigZone } from "./config-zone.ts";
import { execute, type FactoryChip } from "./factory-chip.ts";
import { ProvisioningError } from "./provisioning-error.ts";
import { readConfigBytes } from "./read-zones.ts";
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

/** First byte of the word that only Lock and UpdateExtra write. */
const lockWordAt = 84;
/** The first word that is ours; what is before belongs to the vendor. */
const firstWordAt = 16;

/**
 * Writes what differs, reads the zone back and compares.
 *
 * @throws {ProvisioningError} `write_not_kept`. Rejects with the driver's error too; then write again.
 */
export async function writeConfigZone(chip: FactoryChip, planned: ConfigZone): Promise<void> {
  const wanted = encodeConfigZone(planned);
  const found = await readConfigBytes(chip);
  for (let block = 0; block < wanted.length; block += blockBytes) {
    const words = differingWords(wanted, found, block);
    // Blocks 1 and 3 are wholly ours: one write instead of up to eight.
    if (words.length > 1 && (block === 32 || block === 96)) {
      await write(
        chip,
        zones.config | blockAccess,
        zoneAddress(block),
        wanted.slice(block, block + blockBytes),
      );
      continue;
    }
    for (const at of words) {
      await write(chip, zones.config, zoneAddress(at), wanted.slice(at, at + wordBytes));
    }
  }
  const kept = await readConfigBytes(chip);
  for (let block = 0; block < wanted.length; block += blockBytes) {
    const [at] = differingWords(wanted, kept, block);
    if (at !== undefined) {
      throw new ProvisioningError("write_not_kept", `the Configuration zone did not keep byte ${at}`, { at });
    }
  }
}

/** Offsets of the words of a block that are ours to write and differ. */
function differingWords(wanted: Uint8Array, found: Uint8Array, block: number): readonly number[] {
  const words: number[] = [];
  for (let at = block; at < block + blockBytes; at += wordBytes) {
    if (at < firstWordAt || at === lockWordAt) continue;
    if (wanted.subarray(at, at + wordBytes).some((byte, i) => byte !== found[at + i])) words.push(at);
  }
  return words;
}

/**
 * Fills a slot while the data zone is open; bytes beyond the content become 0, so that the data summary is known.
 *
 * @param content At most as long as the slot.
 * @throws {ProvisioningError} `zone_address_invalid`: longer than the slot.
 */
export async function fillSlot(chip: FactoryChip, slot: number, content: Uint8Array): Promise<void> {
  const padded = paddedContent(slot, content);
  for (let at = 0; at < padded.length; at += blockBytes) {
    const block = new Uint8Array(blockBytes);
    block.set(padded.subarray(at, at + blockBytes));
    await write(chip, zones.data | blockAccess, slotAddress(slot, at), block);
  }
}

/** @returns The content as the whole slot will hold it. @throws {ProvisioningError} `zone_address_invalid`. */
export function paddedContent(slot: number, content: Uint8Array): Uint8Array {
  const padded = new Uint8Array(slotBytes(slot));
  if (content.length > padded.length) {
    throw new ProvisioningError("zone_address_invalid", `slot ${slot} holds ${padded.length} bytes at most`, {
      slot,
      bytes: content.length,
    });
  }
  padded.set(content);
  return padded;
}

/**
 * Overwrites the beginning of a slot after the data zone was locked: by blocks, the rest by words.
 *
 * @param content A multiple of 4 bytes, at most as long as the slot.
 * @throws {ProvisioningError} `zone_address_invalid`. Rejects with the driver's error where WriteConfig forbids it.
 */
export async function overwriteSlot(chip: FactoryChip, slot: number, content: Uint8Array): Promise<void> {
  if (content.length > slotBytes(slot) || content.length % wordBytes !== 0) {
    throw new ProvisioningError("zone_address_invalid", "the content does not fit the slot in whole words", {
      slot,
      bytes: content.length,
    });
  }
  let at = 0;
  while (at < content.length) {
    const isBlock = content.length - at >= blockBytes;
    const length = isBlock ? blockBytes : wordBytes;
    const zone = isBlock ? zones.data | blockAccess : zones.data;
    await write(chip, zone, slotAddress(slot, at), content.slice(at, at + length));
    at += length;
  }
}

/**
 * Fills the OTP zone; possible only while the data zone is open.
 *
 * @param content 64 bytes at most, the rest becomes 0.
 * @throws {ProvisioningError} `zone_address_invalid`.
 */
export async function fillOtp(chip: FactoryChip, content: Uint8Array): Promise<void> {
  const padded = paddedOtp(content);
  for (let at = 0; at < otpBytes; at += blockBytes) {
    await write(chip, zones.otp | blockAccess, zoneAddress(at), padded.slice(at, at + blockBytes));
  }
}

/** @throws {ProvisioningError} `zone_address_invalid`. */
export function paddedOtp(content: Uint8Array): Uint8Array {
  if (content.length > otpBytes) {
    throw new ProvisioningError("zone_address_invalid", `the OTP zone holds ${otpBytes} bytes`, {
      bytes: content.length,
    });
  }
  const padded = new Uint8Array(otpBytes);
  padded.set(content);
  return padded;
}

async function write(chip: FactoryChip, zone: number, address: number, bytes: Uint8Array): Promise<void> {
  await execute(chip, opcodes.write, zone, address, bytes, 0);
}
