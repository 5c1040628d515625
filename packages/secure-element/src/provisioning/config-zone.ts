/**
 * The Configuration zone as a value: all 128 bytes, each with a name (atecc608.md §3.1).
 *
 * Decode and encode are each other's inverse for any 128 bytes, also for those no sane chip has: what is
 * reserved is carried along, not judged. Judging is `strand-rules.ts`, words are `explain-config-zone.ts`.
 */
import { type CounterField, decodeCounter, encodeCounter } from "./counter-value.ts";
import { ProvisioningError } from "./provisioning-error.ts";
import {
  decodeKeyConfig,
  decodeSlotConfig,
  encodeKeyConfig,
  encodeSlotConfig,
  type KeyConfig,
  type SlotConfig,
} from "./slot-config.ts";

export const configZoneBytes = 128;
export const slotCount = 16;

/** A lock byte of an open zone; 0x00 is locked. */
export const unlockedByte = 0x55;

export interface ConfiguredSlot {
  readonly slot: SlotConfig;
  readonly key: KeyConfig;
}

/** ChipMode, byte 19. */
export interface ChipMode {
  /** Bit 0: UserExtraAdd, once it is not zero, is the I2C address. */
  readonly addressFromUserExtra: boolean;
  /** Bit 1: the I/O levels are measured against VCC and not against a fixed threshold. */
  readonly levelFromSupply: boolean;
  /** Bit 2. */
  readonly watchdog: "short" | "long";
  /** Bits 3 to 7: 0x00 = M0 (fast), 0x05 = M1, 0x0D = M2; nothing else is known. */
  readonly clockDivider: number;
}

export const clockDividers = { m0: 0x00, m1: 0x05, m2: 0x0d } as const;

export interface SecureBoot {
  /** Bits 0-1: 0 is off. */
  readonly mode: number;
  readonly persist: boolean;
  readonly randNonce: boolean;
  readonly digestSlot: number;
  readonly keySlot: number;
  /** Bits 2, 5-7 as they are. */
  readonly reservedBits: number;
}

export interface ChipOptions {
  readonly powerOnSelfTest: boolean;
  readonly ioProtectionKey: boolean;
  readonly kdfAes: boolean;
  readonly ecdhProtection: number;
  readonly kdfProtection: number;
  readonly ioProtectionSlot: number;
  /** Bits 3-7 as they are. */
  readonly reservedBits: number;
}

export interface ConfigZone {
  /** The chip serial number, 9 bytes: zone bytes 0-3 and 8-12. */
  readonly serialNumber: Uint8Array;
  /** 4 bytes, as Info Revision tells. */
  readonly revision: Uint8Array;
  /** Bytes 13, 14, 15: AES_Enable, I2C_Enable (bit 0 each), reserved. From the vendor's factory. */
  readonly aesEnable: number;
  readonly i2cEnable: number;
  readonly reserved15: number;
  /** 8-bit form, even: 0xC0 is 7-bit 0x60. */
  readonly i2cAddress: number;
  readonly reserved17: number;
  /** Byte 18: bit 0 enable, bits 4-7 slot; bits 1-3 as they are. */
  readonly countMatch: { readonly enabled: boolean; readonly slot: number; readonly reservedBits: number };
  readonly chipMode: ChipMode;
  /** 16 of them. */
  readonly slots: readonly ConfiguredSlot[];
  readonly counters: readonly [CounterField, CounterField];
  /** Byte 68: low nibble 0xA enables, high nibble slot. */
  readonly useLock: { readonly enable: number; readonly slot: number };
  readonly volatileKeyPermission: number;
  readonly secureBoot: SecureBoot;
  readonly kdfIvLocation: number;
  /** 2 bytes. */
  readonly kdfIvString: Uint8Array;
  /** Bytes 75-83. */
  readonly reserved75: Uint8Array;
  readonly userExtra: number;
  readonly userExtraAddress: number;
  /** Byte 86, Data and OTP zones. */
  readonly lockValue: number;
  /** Byte 87, Configuration zone. */
  readonly lockConfig: number;
  /** 16 bits: bit n set = slot n is not individually locked. */
  readonly slotsUnlocked: number;
  readonly chipOptions: ChipOptions;
  /** 4 bytes. */
  readonly x509Format: Uint8Array;
}

/**
 * @param bytes The whole zone, 128 bytes.
 * @throws {ProvisioningError} `config_zone_malformed`: another length.
 */
export function decodeConfigZone(bytes: Uint8Array): ConfigZone {
  if (bytes.length !== configZoneBytes) {
    throw new ProvisioningError("config_zone_malformed", "the Configuration zone is 128 bytes", {
      bytes: bytes.length,
    });
  }
  const at = (index: number) => bytes[index] ?? 0;
  const word = (index: number) => at(index) | (at(index + 1) << 8);
  return {
    serialNumber: Uint8Array.from([...bytes.subarray(0, 4), ...bytes.subarray(8, 13)]),
    revision: bytes.slice(4, 8),
    aesEnable: at(13),
    i2cEnable: at(14),
    reserved15: at(15),
    i2cAddress: at(16),
    reserved17: at(17),
    countMatch: { enabled: (at(18) & 1) === 1, slot: at(18) >> 4, reservedBits: at(18) & 0x0e },
    chipMode: decodeChipMode(at(19)),
    slots: Array.from({ length: slotCount }, (_, slot) => ({
      slot: decodeSlotConfig(word(20 + 2 * slot)),
      key: decodeKeyConfig(word(96 + 2 * slot)),
    })),
    counters: [decodeCounter(bytes.subarray(52, 60)), decodeCounter(bytes.subarray(60, 68))],
    useLock: { enable: at(68) & 0x0f, slot: at(68) >> 4 },
    volatileKeyPermission: at(69),
    secureBoot: decodeSecureBoot(word(70)),
    kdfIvLocation: at(72),
    kdfIvString: bytes.slice(73, 75),
    reserved75: bytes.slice(75, 84),
    userExtra: at(84),
    userExtraAddress: at(85),
    lockValue: at(86),
    lockConfig: at(87),
    slotsUnlocked: word(88),
    chipOptions: decodeChipOptions(word(90)),
    x509Format: bytes.slice(92, 96),
  };
}

/** @returns The 128 bytes as a chip would give them when read. */
export function encodeConfigZone(zone: ConfigZone): Uint8Array {
  const bytes = new Uint8Array(configZoneBytes);
  const put = (index: number, ...values: readonly number[]) => bytes.set(values, index);
  const putWord = (index: number, word: number) => put(index, word & 0xff, (word >> 8) & 0xff);
  bytes.set(zone.serialNumber.subarray(0, 4), 0);
  bytes.set(zone.revision.subarray(0, 4), 4);
  bytes.set(zone.serialNumber.subarray(4, 9), 8);
  put(13, zone.aesEnable, zone.i2cEnable, zone.reserved15, zone.i2cAddress, zone.reserved17);
  const { enabled, slot, reservedBits } = zone.countMatch;
  put(18, (enabled ? 1 : 0) | ((slot & 0x0f) << 4) | (reservedBits & 0x0e), encodeChipMode(zone.chipMode));
  zone.slots.forEach((configured, index) => {
    putWord(20 + 2 * index, encodeSlotConfig(configured.slot));
    putWord(96 + 2 * index, encodeKeyConfig(configured.key));
  });
  zone.counters.forEach((counter, index) => {
    bytes.set(counter.kind === "value" ? encodeCounter(counter.value) : counter.bytes, 52 + 8 * index);
  });
  put(68, (zone.useLock.enable & 0x0f) | ((zone.useLock.slot & 0x0f) << 4), zone.volatileKeyPermission);
  putWord(70, encodeSecureBoot(zone.secureBoot));
  put(72, zone.kdfIvLocation);
  bytes.set(zone.kdfIvString.subarray(0, 2), 73);
  bytes.set(zone.reserved75.subarray(0, 9), 75);
  put(84, zone.userExtra, zone.userExtraAddress, zone.lockValue, zone.lockConfig);
  putWord(88, zone.slotsUnlocked);
  putWord(90, encodeChipOptions(zone.chipOptions));
  bytes.set(zone.x509Format.subarray(0, 4), 92);
  return bytes;
}

/** Anything but 0x55 counts as locked: what cannot be undone is not to be hoped for. */
export function isConfigLocked(zone: Pick<ConfigZone, "lockConfig">): boolean {
  return zone.lockConfig !== unlockedByte;
}

export function isDataLocked(zone: Pick<ConfigZone, "lockValue">): boolean {
  return zone.lockValue !== unlockedByte;
}

/** Is the slot individually locked? */
export function isSlotLocked(zone: Pick<ConfigZone, "slotsUnlocked">, slot: number): boolean {
  return ((zone.slotsUnlocked >> slot) & 1) === 0;
}

/** @throws {RangeError} no such slot: a bug of the caller. */
export function configuredSlot(zone: Pick<ConfigZone, "slots">, slot: number): ConfiguredSlot {
  const configured = zone.slots[slot];
  if (configured === undefined) throw new RangeError(`there is no slot ${slot}`);
  return configured;
}

export function decodeChipMode(byte: number): ChipMode {
  return {
    addressFromUserExtra: (byte & 0x01) !== 0,
    levelFromSupply: (byte & 0x02) !== 0,
    watchdog: (byte & 0x04) !== 0 ? "long" : "short",
    clockDivider: (byte >> 3) & 0x1f,
  };
}

export function encodeChipMode(mode: ChipMode): number {
  return (
    (mode.addressFromUserExtra ? 0x01 : 0) |
    (mode.levelFromSupply ? 0x02 : 0) |
    (mode.watchdog === "long" ? 0x04 : 0) |
    ((mode.clockDivider & 0x1f) << 3)
  );
}

function decodeSecureBoot(word: number): SecureBoot {
  return {
    mode: word & 0x03,
    persist: (word & 0x08) !== 0,
    randNonce: (word & 0x10) !== 0,
    digestSlot: (word >> 8) & 0x0f,
    keySlot: (word >> 12) & 0x0f,
    reservedBits: word & 0xe4,
  };
}

function encodeSecureBoot(boot: SecureBoot): number {
  return (
    (boot.mode & 0x03) |
    (boot.persist ? 0x08 : 0) |
    (boot.randNonce ? 0x10 : 0) |
    (boot.reservedBits & 0xe4) |
    ((boot.digestSlot & 0x0f) << 8) |
    ((boot.keySlot & 0x0f) << 12)
  );
}

function decodeChipOptions(word: number): ChipOptions {
  return {
    powerOnSelfTest: (word & 0x01) !== 0,
    ioProtectionKey: (word & 0x02) !== 0,
    kdfAes: (word & 0x04) !== 0,
    ecdhProtection: (word >> 8) & 0x03,
    kdfProtection: (word >> 10) & 0x03,
    ioProtectionSlot: (word >> 12) & 0x0f,
    reservedBits: word & 0xf8,
  };
}

function encodeChipOptions(options: ChipOptions): number {
  return (
    (options.powerOnSelfTest ? 0x01 : 0) |
    (options.ioProtectionKey ? 0x02 : 0) |
    (options.kdfAes ? 0x04 : 0) |
    (options.reservedBits & 0xf8) |
    ((options.ecdhProtection & 0x03) << 8) |
    ((options.kdfProtection & 0x03) << 10) |
    ((options.ioProtectionSlot & 0x0f) << 12)
  );
}
