/**
 * Chips as they come: factory-fresh, Trust&GO-like, provisioned for Mayfly; and the file a chip is kept in.
 *
 * An image holds the private keys of a simulated chip in clear: whoever writes one to disk keeps it to its owner.
 */

import { crc16 } from "../crc16.ts";
import { BLANK_EEPROM_BYTE } from "./doubts.ts";
import { EEPROM_BYTES, slotOffset } from "./eeprom.ts";
import type { SimCrypto } from "./sim-crypto.ts";
import type { SimRandom } from "./sim-random.ts";

export type ImageName = "factory-fresh" | "trust-and-go" | "mayfly";
export type ChipRevision = "ATECC508A" | "ATECC608A" | "ATECC608B";

/** The file is no image of ours, or a damaged one. */
export class ImageError extends Error {
  override readonly name = "ImageError";
  readonly code: "image_malformed" | "image_version_unsupported";

  constructor(code: ImageError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/** What makes one chip differ from another. Bytes are in the order of the wire. */
export interface ImageParts {
  readonly revision: ChipRevision;
  /** Nine bytes, 01 23 first. */
  readonly serial: Uint8Array;
  /** Configuration bytes 16 to 127; 84 to 87 included. */
  readonly configuration: Uint8Array;
  /** Slots with private keys of 32 bytes. */
  readonly privateKeys?: Readonly<Record<number, Uint8Array>>;
  /** Other slots' bytes, from the start of the slot. */
  readonly slots?: Readonly<Record<number, Uint8Array>>;
}

const revisionBytes = (revision: ChipRevision): readonly number[] =>
  revision === "ATECC508A" ? [0, 0, 0x50, 0] : [0, 0, 0x60, revision === "ATECC608A" ? 0x02 : 0x03];

const fromHex = (text: string): Uint8Array => {
  const digits = text.split(" ").filter((byte) => byte !== "");
  return Uint8Array.from(digits, (byte) => Number.parseInt(byte, 16));
};

const COUNTERS_AT_ZERO = "FF FF FF FF 00 00 00 00 FF FF FF FF 00 00 00 00";
const LOCKS_OPEN = "00 00 55 55";
const LOCKS_CLOSED = "00 00 00 00";
const NOTHING_16 = "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00";
const SLOTS_OPEN_OPTIONS_NONE = "FF FF 00 00 00 00 00 00";

/**
 * As delivered. Slots 0 to 2 and their KeyConfig are documented; the rest of SlotConfig and KeyConfig is as blank
 * parts are remembered to come, and a host that provisions writes all of it anyway.
 */
const factoryConfiguration = (): Uint8Array =>
  fromHex(
    `C0 00 00 00 83 20 87 20 8F 20 C4 8F 8F 8F 8F 8F 9F 8F AF 8F 00 00 00 00 00 00 00 00 00 00 00 00 00 00 AF 8F
     ${COUNTERS_AT_ZERO} ${NOTHING_16} ${LOCKS_OPEN} ${SLOTS_OPEN_OPTIONS_NONE}
     33 00 33 00 33 00 1C 00 1C 00 1C 00 1C 00 1C 00 3C 00 3C 00 3C 00 3C 00 3C 00 3C 00 3C 00 1C 00`.replaceAll(
      "\n",
      " ",
    ),
  );

/** The TNGTLS layout at its address 6A. Slots 13 and 14 are closed here: their bytes are in no document we use. */
const trustAndGoConfiguration = (): Uint8Array =>
  fromHex(
    `6A 00 00 00 85 00 82 00 85 20 85 20 85 20 8F 8F 8F 0F AF 8F 0F 0F 8F 0F 0F 8F 0F 8F 0F 8F 8F 8F 8F 8F AF 8F
     ${COUNTERS_AT_ZERO} ${NOTHING_16} ${LOCKS_CLOSED} ${SLOTS_OPEN_OPTIONS_NONE}
     53 00 53 00 73 00 73 00 73 00 1C 00 7C 00 3C 00 3C 00 1A 00 1C 00 10 00 1C 00 1C 00 1C 00 1C 00`.replaceAll(
      "\n",
      " ",
    ),
  );

/** The configuration Mayfly recommends (docs/hardware.md), locked. */
const mayflyConfiguration = (): Uint8Array =>
  fromHex(
    `C0 00 00 00 81 20 82 00 81 20 81 20 8F 8F 8F 8F 8F 8F 8F 8F 0F 0F 8F 8F 0F 0F 0F 0F 0F 0F 8F 8F 8F 8F 8F 8F
     ${COUNTERS_AT_ZERO} ${NOTHING_16} ${LOCKS_CLOSED} ${SLOTS_OPEN_OPTIONS_NONE}
     33 00 13 00 33 00 33 00 1C 00 1C 00 1C 00 1C 00 3C 00 1C 00 3C 00 30 00 3C 00 1C 00 1C 00 1C 00`.replaceAll(
      "\n",
      " ",
    ),
  );

/** Puts a chip together from its parts. @returns {@link EEPROM_BYTES} bytes for {@link encodeImage}. @throws {RangeError} A part of the wrong length. */
export function composeEeprom(parts: ImageParts): Uint8Array {
  if (parts.serial.length !== 9) throw new RangeError("a chip serial number has 9 bytes");
  if (parts.configuration.length !== 112) throw new RangeError("configuration bytes 16 to 127 are 112 bytes");
  const bytes = new Uint8Array(EEPROM_BYTES).fill(BLANK_EEPROM_BYTE);
  bytes.set(parts.serial.subarray(0, 4), 0);
  bytes.set(revisionBytes(parts.revision), 4);
  bytes.set(parts.serial.subarray(4), 8);
  // AES and I2C enabled, as on parts in an I2C package.
  bytes.set([0x01, 0x01, 0x00], 13);
  bytes.set(parts.configuration, 16);
  for (const [slot, content] of Object.entries(parts.slots ?? {}))
    bytes.set(content, slotOffset(Number(slot)));
  for (const [slot, key] of Object.entries(parts.privateKeys ?? {})) {
    bytes.set([0, 0, 0, 0], slotOffset(Number(slot)));
    bytes.set(key, slotOffset(Number(slot)) + 4);
  }
  return bytes;
}

/** @returns The EEPROM of a chip nobody has met before: serial number and keys are drawn anew. */
export function buildImage(name: ImageName, crypto: SimCrypto, random: SimRandom): Uint8Array {
  const serialEndingIn = (last: number): Uint8Array => Uint8Array.of(0x01, 0x23, ...random.bytes(6), last);
  const keys = (slots: readonly number[]): Readonly<Record<number, Uint8Array>> =>
    Object.fromEntries(slots.map((slot) => [slot, drawPrivateKey(crypto, random)]));
  switch (name) {
    case "factory-fresh":
      return composeEeprom({
        revision: "ATECC608B",
        serial: serialEndingIn(0xee),
        configuration: factoryConfiguration(),
      });
    case "trust-and-go":
      return composeEeprom({
        revision: "ATECC608B",
        serial: serialEndingIn(0x01),
        configuration: trustAndGoConfiguration(),
        privateKeys: keys([0, 1, 2, 3, 4]),
      });
    case "mayfly":
      return composeEeprom({
        revision: "ATECC608B",
        serial: serialEndingIn(0xee),
        configuration: mayflyConfiguration(),
        privateKeys: keys([0, 1, 2, 3]),
      });
  }
}

/** A number that is no key is drawn once in 2^32 at P-256; drawing again is the cure. */
function drawPrivateKey(crypto: SimCrypto, random: SimRandom): Uint8Array {
  for (let attempt = 0; attempt < 8; attempt += 1) {
    const key = random.bytes(32);
    if (crypto.publicKeyOf(key) !== undefined) return key;
  }
  throw new RangeError("the random source gives no usable private key");
}

// ---- the file: "MAYFLYSE", version, EEPROM, CRC-16 of all before it (low byte first)

const MAGIC = "MAYFLYSE";
const VERSION = 1;
const HEAD_BYTES = MAGIC.length + 1;
export const IMAGE_FILE_BYTES = HEAD_BYTES + EEPROM_BYTES + 2;

export function encodeImage(eeprom: Uint8Array): Uint8Array {
  const file = new Uint8Array(IMAGE_FILE_BYTES);
  file.set(
    Uint8Array.from(MAGIC, (c) => c.codePointAt(0) ?? 0),
    0,
  );
  file[MAGIC.length] = VERSION;
  file.set(eeprom, HEAD_BYTES);
  const crc = crc16(file.subarray(0, HEAD_BYTES + EEPROM_BYTES));
  file[IMAGE_FILE_BYTES - 2] = crc & 0xff;
  file[IMAGE_FILE_BYTES - 1] = crc >> 8;
  return file;
}

/** @throws {ImageError} Not an image, another version, or damaged. */
export function decodeImage(file: Uint8Array): Uint8Array {
  const isOurs = [...MAGIC].every((c, index) => file[index] === c.codePointAt(0));
  if (!isOurs) throw new ImageError("image_malformed", "this file is no chip image");
  if (file[MAGIC.length] !== VERSION) {
    throw new ImageError(
      "image_version_unsupported",
      `chip image of version ${String(file[MAGIC.length])}; this reads ${String(VERSION)}`,
    );
  }
  const crc = crc16(file.subarray(0, HEAD_BYTES + EEPROM_BYTES));
  const isWhole =
    file.length === IMAGE_FILE_BYTES &&
    file[IMAGE_FILE_BYTES - 2] === (crc & 0xff) &&
    file[IMAGE_FILE_BYTES - 1] === crc >> 8;
  if (!isWhole) throw new ImageError("image_malformed", "this chip image is cut short or damaged");
  return file.slice(HEAD_BYTES, HEAD_BYTES + EEPROM_BYTES);
}
