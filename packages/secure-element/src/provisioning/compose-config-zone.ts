/**
 * A configuration made from what each slot is for, on the base of what the chip already is.
 *
 * Serial number, revision, the vendor's bytes, UserExtra and the lock bytes are the chip's own and stay; all
 * else is said by the order or is at rest: counters zero, no UseLock, no secure boot, no options.
 */
import { type ConfigZone, clockDividers, isConfigLocked, slotCount } from "./config-zone.ts";
import { ProvisioningError } from "./provisioning-error.ts";
import { composeSlot, type SlotRole } from "./slot-lifecycle.ts";

export interface ConfigOrder {
  /** 7-bit. The default of blank parts is 0x60. */
  readonly address: number;
  /** Role of each slot; a slot not named is closed. */
  readonly slots: Readonly<Record<number, SlotRole>>;
  readonly clock: keyof typeof clockDividers;
  readonly watchdog: "short" | "long";
}

/**
 * The configuration we recommend (atecc608.md §3.4): three keys to rotate among, one that attests, room for the
 * device's and its signer's certificates. Slot numbers agree with the vendor's own pre-configured parts.
 */
export const mayflyConfigOrder: ConfigOrder = mayflyOrder("rotatable");

/** The same with keys that nobody can ever replace, nor destroy. */
export const mayflyImmutableConfigOrder: ConfigOrder = mayflyOrder("immutable");

function mayflyOrder(lifecycle: "immutable" | "rotatable"): ConfigOrder {
  return {
    address: 0x60,
    slots: {
      0: { kind: "signing", lifecycle },
      1: { kind: "attestation" },
      2: { kind: "signing", lifecycle },
      3: { kind: "signing", lifecycle },
      8: { kind: "data" },
      10: { kind: "data" },
      11: { kind: "public-key" },
      12: { kind: "data" },
    },
    clock: "m0",
    watchdog: "short",
  };
}

/**
 * @param base What the chip holds now.
 * @throws {ProvisioningError} `chip_unexpected`: its Configuration zone is locked already.
 */
export function composeConfigZone(base: ConfigZone, order: ConfigOrder): ConfigZone {
  if (isConfigLocked(base)) {
    throw new ProvisioningError(
      "chip_unexpected",
      "the Configuration zone is locked: nothing can be composed",
    );
  }
  return configZoneFor(base, order);
}

/** What the order comes to on this chip, whether or not it can still be written. */
export function configZoneFor(base: ConfigZone, order: ConfigOrder): ConfigZone {
  return {
    serialNumber: base.serialNumber,
    revision: base.revision,
    aesEnable: base.aesEnable,
    i2cEnable: base.i2cEnable,
    reserved15: base.reserved15,
    i2cAddress: order.address << 1,
    reserved17: 0,
    countMatch: { enabled: false, slot: 0, reservedBits: 0 },
    chipMode: {
      addressFromUserExtra: false,
      levelFromSupply: false,
      watchdog: order.watchdog,
      clockDivider: clockDividers[order.clock],
    },
    slots: Array.from({ length: slotCount }, (_, slot) =>
      composeSlot(order.slots[slot] ?? { kind: "closed" }),
    ),
    counters: [
      { kind: "value", value: 0 },
      { kind: "value", value: 0 },
    ],
    useLock: { enable: 0, slot: 0 },
    volatileKeyPermission: 0,
    secureBoot: { mode: 0, persist: false, randNonce: false, digestSlot: 0, keySlot: 0, reservedBits: 0 },
    kdfIvLocation: 0,
    kdfIvString: new Uint8Array(2),
    reserved75: new Uint8Array(9),
    userExtra: base.userExtra,
    userExtraAddress: base.userExtraAddress,
    lockValue: base.lockValue,
    lockConfig: base.lockConfig,
    slotsUnlocked: 0xffff,
    chipOptions: {
      powerOnSelfTest: false,
      ioProtectionKey: false,
      kdfAes: false,
      ecdhProtection: 0,
      kdfProtection: 0,
      ioProtectionSlot: 0,
      reservedBits: 0,
    },
    x509Format: new Uint8Array(4),
  };
}

/** Slots of one kind, in rising order. */
export function slotsOfKind(order: ConfigOrder, kind: SlotRole["kind"]): readonly number[] {
  return Object.entries(order.slots)
    .filter(([, role]) => role.kind === kind)
    .map(([slot]) => Number(slot))
    .sort((a, b) => a - b);
}
