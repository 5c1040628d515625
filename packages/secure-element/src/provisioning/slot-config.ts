/**
 * SlotConfig and KeyConfig: the two 16-bit words that say what a slot holds and who may do what with it.
 *
 * Every bit of the words has a place in the value, so that decode and encode are each other's inverse; what a
 * bit means for a private key differs from what it means for data, and `slotRights` says which applies.
 * Layouts: atecc608.md §3.2. The vendor's header puts "GenKey" and "PrivWrite" at bits 8 and 9; every real
 * configuration, and the vendor's own example, has them at 13 and 14, and so have we.
 */

/** SlotConfig (2 bytes, LSB first). All numbers are 4 bits: 0 to 15. */
export interface SlotConfig {
  /** Of a private key: bit 0 external Sign, 1 internal Sign, 2 ECDH, 3 ECDH result into a slot. Else: ReadKey. */
  readonly readKey: number;
  readonly noMac: boolean;
  /** Uses are counted off Counter0; none left, no use. */
  readonly limitedUse: boolean;
  readonly encryptRead: boolean;
  /** Must be set for keys: otherwise the slot reads in clear. */
  readonly isSecret: boolean;
  readonly writeKey: number;
  /** Of a private key: bit 1 (word bit 13) GenKey after data lock, bit 2 (word bit 14) PrivWrite. */
  readonly writeConfig: number;
}

/** KeyConfig (2 bytes, LSB first). */
export interface KeyConfig {
  readonly isPrivate: boolean;
  /** May the public key be computed? (Of a public key slot: must it be validated before use?) */
  readonly pubInfo: boolean;
  /** 3 bits: 4 P-256, 6 AES, 7 anything else. */
  readonly keyType: number;
  readonly lockable: boolean;
  readonly reqRandom: boolean;
  readonly reqAuth: boolean;
  /** The slot whose secret authorises, 4 bits. */
  readonly authKey: number;
  readonly persistentDisable: boolean;
  /** Word bit 13, reserved. */
  readonly reserved: boolean;
  /** 2 bits: which X509format byte applies. */
  readonly x509Id: number;
}

export const keyTypes = { p256: 4, aes: 6, other: 7 } as const;

/** Bits of {@link SlotConfig.readKey} for a private key. */
export const privateKeyUses = { externalSign: 1, internalSign: 2, ecdh: 4, ecdhIntoSlot: 8 } as const;

/** Bits of {@link SlotConfig.writeConfig} for a private key. */
export const privateKeyWrites = { genKey: 2, privWrite: 4 } as const;

/** @param word 0 to 0xFFFF, the two bytes LSB first. */
export function decodeSlotConfig(word: number): SlotConfig {
  return {
    readKey: word & 0x0f,
    noMac: hasBit(word, 4),
    limitedUse: hasBit(word, 5),
    encryptRead: hasBit(word, 6),
    isSecret: hasBit(word, 7),
    writeKey: (word >> 8) & 0x0f,
    writeConfig: (word >> 12) & 0x0f,
  };
}

/** @returns 0 to 0xFFFF. */
export function encodeSlotConfig(config: SlotConfig): number {
  return (
    (config.readKey & 0x0f) |
    bit(config.noMac, 4) |
    bit(config.limitedUse, 5) |
    bit(config.encryptRead, 6) |
    bit(config.isSecret, 7) |
    ((config.writeKey & 0x0f) << 8) |
    ((config.writeConfig & 0x0f) << 12)
  );
}

/** @param word 0 to 0xFFFF, the two bytes LSB first. */
export function decodeKeyConfig(word: number): KeyConfig {
  return {
    isPrivate: hasBit(word, 0),
    pubInfo: hasBit(word, 1),
    keyType: (word >> 2) & 0x07,
    lockable: hasBit(word, 5),
    reqRandom: hasBit(word, 6),
    reqAuth: hasBit(word, 7),
    authKey: (word >> 8) & 0x0f,
    persistentDisable: hasBit(word, 12),
    reserved: hasBit(word, 13),
    x509Id: (word >> 14) & 0x03,
  };
}

/** @returns 0 to 0xFFFF. */
export function encodeKeyConfig(config: KeyConfig): number {
  return (
    bit(config.isPrivate, 0) |
    bit(config.pubInfo, 1) |
    ((config.keyType & 0x07) << 2) |
    bit(config.lockable, 5) |
    bit(config.reqRandom, 6) |
    bit(config.reqAuth, 7) |
    ((config.authKey & 0x0f) << 8) |
    bit(config.persistentDisable, 12) |
    bit(config.reserved, 13) |
    ((config.x509Id & 0x03) << 14)
  );
}

/** What the two words allow once both zones are locked. */
export interface SlotRights {
  readonly kind: "private-key" | "public-key" | "secret" | "data";
  readonly externalSign: boolean;
  readonly internalSign: boolean;
  readonly ecdh: boolean;
  /** May GenKey replace the key after the data zone is locked (slot lock aside)? */
  readonly genKeyAfterLock: boolean;
  /** May a key be brought in from outside, encrypted? */
  readonly privWrite: boolean;
  readonly readable: "clear" | "encrypted" | "never";
  readonly writable: "always" | "encrypted" | "when-invalid" | "never";
}

/** What a slot's two words come to (atecc608.md §2.1, §3.2). */
export function slotRights(slot: SlotConfig, key: KeyConfig): SlotRights {
  const isPrivate = key.isPrivate;
  const may = (use: number) => isPrivate && (slot.readKey & use) !== 0;
  return {
    kind: isPrivate
      ? "private-key"
      : key.keyType === keyTypes.p256
        ? "public-key"
        : slot.isSecret
          ? "secret"
          : "data",
    externalSign: may(privateKeyUses.externalSign),
    internalSign: may(privateKeyUses.internalSign),
    ecdh: may(privateKeyUses.ecdh),
    genKeyAfterLock: isPrivate && (slot.writeConfig & privateKeyWrites.genKey) !== 0,
    privWrite: isPrivate && (slot.writeConfig & privateKeyWrites.privWrite) !== 0,
    readable: isPrivate ? "never" : !slot.isSecret ? "clear" : slot.encryptRead ? "encrypted" : "never",
    writable: isPrivate ? "never" : writeRight(slot.writeConfig),
  };
}

/** WriteConfig of a slot that holds no private key, for the Write command after data lock. */
function writeRight(writeConfig: number): SlotRights["writable"] {
  if ((writeConfig & 0x4) !== 0) return "encrypted";
  if (writeConfig === 0) return "always";
  return writeConfig === 1 ? "when-invalid" : "never";
}

function hasBit(word: number, at: number): boolean {
  return ((word >> at) & 1) === 1;
}

function bit(isSet: boolean, at: number): number {
  return isSet ? 1 << at : 0;
}
