/**
 * The 55 bytes an internal Sign signs: what the chip says about TempKey and the slot it came from
 * (atecc608.md §2.1, "Sign internal").
 *
 * A host cannot choose these bytes: the chip puts them together itself, which is what makes such a signature an
 * attestation. The verifier of the core builds the same message from what it expects.
 */
import { ProvisioningError } from "./provisioning-error.ts";

export const internalMessageBytes = 55;

/** Bits of Sign's param1 when the message is the chip's own. */
export const internalSignModes = { plain: 0x00, fullSerial: 0x40 } as const;

const signOpcode = 0x41;

/** Where TempKey came from: byte 40 of the message. */
export interface TempKeyFlags {
  /** The slot its last command named, 0 to 15. */
  readonly keyId: number;
  /** A nonce the host passed through, and not a random one. */
  readonly fixedInput: boolean;
  readonly genDigData: boolean;
  readonly genKeyData: boolean;
  readonly noMac: boolean;
}

export interface InternalMessage {
  /** 32 bytes. */
  readonly tempKey: Uint8Array;
  /** Sign's param1. */
  readonly mode: number;
  /** The slot that signed. */
  readonly signingSlot: number;
  /** Words of the slot TempKey speaks of. */
  readonly slotConfig: number;
  readonly keyConfig: number;
  readonly flags: TempKeyFlags;
  /** 9 bytes; without `fullSerial` only bytes 0, 1 and 8 are in the message, the others read 0. */
  readonly serialNumber: Uint8Array;
  /** The slot TempKey speaks of is not individually locked. */
  readonly slotUnlocked: boolean;
  readonly publicKeyInvalid: boolean;
}

/** @returns 55 bytes. */
export function encodeInternalMessage(message: InternalMessage): Uint8Array {
  const bytes = new Uint8Array(internalMessageBytes);
  const serial = message.serialNumber;
  bytes.set(message.tempKey.subarray(0, 32), 0);
  bytes.set([signOpcode, message.mode, ...wordBytes(message.signingSlot)], 32);
  bytes.set([...wordBytes(message.slotConfig), ...wordBytes(message.keyConfig)], 36);
  bytes[40] = encodeFlags(message.flags);
  // 41 and 42 stay 0.
  bytes.set(serial.subarray(8, 9), 43);
  bytes.set(serial.subarray(0, 2), 48);
  if ((message.mode & internalSignModes.fullSerial) !== 0) {
    bytes.set(serial.subarray(4, 8), 44);
    bytes.set(serial.subarray(2, 4), 50);
  }
  bytes[52] = message.slotUnlocked ? 1 : 0;
  bytes[53] = message.publicKeyInvalid ? 1 : 0;
  return bytes;
}

/**
 * @throws {ProvisioningError} `attestation_malformed`: no chip makes such a message.
 */
export function decodeInternalMessage(bytes: Uint8Array): InternalMessage {
  const at = (index: number) => bytes[index] ?? 0;
  const word = (index: number) => at(index) | (at(index + 1) << 8);
  const message: InternalMessage = {
    tempKey: bytes.slice(0, 32),
    mode: at(33),
    signingSlot: word(34),
    slotConfig: word(36),
    keyConfig: word(38),
    flags: decodeFlags(at(40)),
    serialNumber: Uint8Array.from([
      ...bytes.subarray(48, 52),
      ...bytes.subarray(44, 48),
      ...bytes.subarray(43, 44),
    ]),
    slotUnlocked: at(52) === 1,
    publicKeyInvalid: at(53) === 1,
  };
  // Whatever does not come back byte for byte had something where the chip has a constant.
  const isExact =
    bytes.length === internalMessageBytes &&
    encodeInternalMessage(message).every((byte, index) => byte === bytes[index]);
  if (!isExact) {
    throw new ProvisioningError("attestation_malformed", "these are not the 55 bytes of an internal Sign", {
      bytes: bytes.length,
    });
  }
  return message;
}

function encodeFlags(flags: TempKeyFlags): number {
  return (
    (flags.keyId & 0x0f) |
    (flags.fixedInput ? 0x10 : 0) |
    (flags.genDigData ? 0x20 : 0) |
    (flags.genKeyData ? 0x40 : 0) |
    (flags.noMac ? 0x80 : 0)
  );
}

function decodeFlags(byte: number): TempKeyFlags {
  return {
    keyId: byte & 0x0f,
    fixedInput: (byte & 0x10) !== 0,
    genDigData: (byte & 0x20) !== 0,
    genKeyData: (byte & 0x40) !== 0,
    noMac: (byte & 0x80) !== 0,
  };
}

function wordBytes(word: number): readonly [number, number] {
  return [word & 0xff, (word >> 8) & 0xff];
}
