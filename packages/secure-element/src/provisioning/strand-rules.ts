/**
 * What would strand a device: configurations that lock well and leave a chip nobody can use, or nobody can trust.
 *
 * A table, a row for each way we know. A rule looks at the configuration, the plan and, where it matters, at what
 * the chip holds; it answers with sentences for the engineer. Any answer refuses the lock. The dry run is not the
 * chip: it is meant to be stricter than silicon.
 */
import { type ConfigOrder, slotsOfKind } from "./compose-config-zone.ts";
import { type ConfigZone, clockDividers, configuredSlot, isSlotLocked } from "./config-zone.ts";
import { keyTypes, privateKeyUses, slotRights } from "./slot-config.ts";
import { composeSlot, type SlotRole } from "./slot-lifecycle.ts";

export type LockAction =
  | { readonly kind: "lock-config" }
  | { readonly kind: "lock-data" }
  | { readonly kind: "lock-slot"; readonly slot: number };

export interface StrandFacts {
  readonly action: LockAction;
  /** What would be in force after the lock. */
  readonly zone: ConfigZone;
  readonly order: ConfigOrder;
  /** 7-bit address the chip answers at now. */
  readonly currentAddress: number;
  /** The engineer has said that the chip is to answer elsewhere from now on. */
  readonly addressChangeWanted: boolean;
  /** Which private slots hold a key, as Info KeyValid told. `undefined`: not asked yet. */
  readonly keysPresent: ReadonlySet<number> | undefined;
  /** Slots whose content was written in full, so that the data summary can be known. */
  readonly slotsWritten: ReadonlySet<number> | undefined;
  /** CRC that will go along with the lock; `undefined` would lock whatever is there. */
  readonly summaryCrc: number | undefined;
  /** CRC over what is known to be in the zone. `undefined` for a slot lock, which has none. */
  readonly contentCrc: number | undefined;
}

export interface StrandRule {
  readonly id: string;
  /** When it is looked at: a fault of the configuration is caught before the first lock. */
  readonly at: readonly LockAction["kind"][];
  /** @returns Nothing, or a sentence for each place that would strand the device. */
  find(facts: StrandFacts): readonly string[];
}

const configLock = ["lock-config"] as const;
const bothLocks = ["lock-config", "lock-data"] as const;

export const strandRules: readonly StrandRule[] = [
  {
    id: "part_unsupported",
    at: configLock,
    // The last byte is the silicon's revision and says nothing about the part (§2.1).
    find: ({ zone: { revision } }) =>
      revision[2] === 0x60
        ? []
        : ["The chip is no ATECC608. The same bytes would mean something else to it."],
  },
  {
    id: "address_invalid",
    at: configLock,
    find: ({ zone }) => {
      const address = zone.i2cAddress >> 1;
      const isSound = (zone.i2cAddress & 1) === 0 && address >= 0x08 && address <= 0x77;
      return isSound ? [] : ["The I2C address is one no host may talk to. The chip could not be reached."];
    },
  },
  {
    id: "address_changes",
    at: configLock,
    find: ({ zone, currentAddress, addressChangeWanted }) => {
      const address = zone.i2cAddress >> 1;
      if (address === currentAddress || addressChangeWanted) return [];
      return [`The chip would move from I2C address ${hex(currentAddress)} to ${hex(address)}.`];
    },
  },
  {
    id: "address_from_user_extra",
    at: configLock,
    find: ({ zone }) =>
      zone.chipMode.addressFromUserExtra
        ? ["The I2C address could still be changed, once, by anybody who reaches the bus."]
        : [],
  },
  {
    id: "i2c_disabled",
    at: configLock,
    find: ({ zone }) => ((zone.i2cEnable & 1) === 0 ? ["The chip says that its I2C is not enabled."] : []),
  },
  {
    id: "clock_unknown",
    at: configLock,
    find: ({ zone }) =>
      Object.values<number>(clockDividers).includes(zone.chipMode.clockDivider)
        ? []
        : [`The clock setting ${zone.chipMode.clockDivider} is unknown. The chip might not run.`],
  },
  {
    id: "watchdog_cuts_commands",
    at: configLock,
    // At M2 a Sign may take 665 ms and the Nonce before it 20; the watchdog may strike after 700 (§1.7).
    find: ({ zone: { chipMode } }) =>
      chipMode.clockDivider === clockDividers.m2 && chipMode.watchdog === "short"
        ? ["With the slow clock the short watchdog can cut a signature off. Take the long one."]
        : [],
  },
  {
    id: "signing_slot_none",
    at: configLock,
    find: ({ order }) => (slotsOfKind(order, "signing").length > 0 ? [] : ["No slot would sign tokens."]),
  },
  forSigningSlots("signing_slot_not_private", ({ key }, slot) =>
    key.isPrivate ? undefined : `Slot ${slot} is to sign, but would hold no private key.`,
  ),
  {
    id: "private_key_readable",
    at: configLock,
    find: ({ zone }) =>
      privateSlots(zone)
        .filter((slot) => !configuredSlot(zone, slot).slot.isSecret)
        .map((slot) => `The private key of slot ${slot} would not be secret.`),
  },
  {
    id: "private_key_importable",
    at: configLock,
    find: ({ zone }) =>
      privateSlots(zone)
        .filter((slot) => rightsOf(zone, slot).privWrite)
        .map(
          (slot) => `A key could be brought into slot ${slot} from outside. Then it is not only in the chip.`,
        ),
  },
  {
    id: "private_key_type_wrong",
    at: configLock,
    find: ({ zone }) =>
      privateSlots(zone)
        .filter((slot) => configuredSlot(zone, slot).key.keyType !== keyTypes.p256)
        .map((slot) => `Slot ${slot} is to hold a private key, but of a type the chip cannot make.`),
  },
  forSigningSlots("signing_slot_cannot_sign", ({ slot: { readKey } }, slot) =>
    (readKey & privateKeyUses.externalSign) !== 0 ? undefined : `Slot ${slot} could not sign tokens.`,
  ),
  forSigningSlots("signing_slot_signs_internal", ({ slot: { readKey } }, slot) =>
    (readKey & privateKeyUses.internalSign) === 0
      ? undefined
      : `Slot ${slot} could attest and sign tokens. A forged attestation could be signed as if it were a token.`,
  ),
  forSigningSlots("public_key_hidden", ({ key }, slot) =>
    key.pubInfo ? undefined : `The public key of slot ${slot} could never be read again.`,
  ),
  forSigningSlots("signing_slot_wants_random", ({ key }, slot) =>
    key.reqRandom ? `Slot ${slot} wants a random number before each use. Our signer gives none.` : undefined,
  ),
  forSigningSlots("signing_slot_limited", ({ slot: { limitedUse } }, slot) =>
    limitedUse ? `Slot ${slot} could sign only until its counter runs out.` : undefined,
  ),
  forSigningSlots("signing_slot_latched", ({ key }, slot) =>
    key.persistentDisable ? `Slot ${slot} could be switched off by the chip's latch.` : undefined,
  ),
  forSigningSlots("signing_slot_wants_authorisation", ({ key }, slot, role) =>
    key.reqAuth && role.lifecycle !== "authorised"
      ? `Slot ${slot} wants an authorisation that the plan does not mention.`
      : undefined,
  ),
  {
    id: "authorising_secret_unsound",
    at: configLock,
    find: ({ zone, order }) =>
      authorisedSlots(order)
        .filter(({ authKeySlot }) => !isSoundSecret(zone, authKeySlot))
        .map(
          ({ slot, authKeySlot }) =>
            `Slot ${slot} is authorised by slot ${authKeySlot}, which would hold no safe secret.`,
        ),
  },
  {
    id: "authorising_secret_missing",
    at: ["lock-data"],
    find: ({ order, slotsWritten }) =>
      authorisedSlots(order)
        .filter(({ authKeySlot }) => slotsWritten?.has(authKeySlot) !== true)
        .map(
          ({ slot, authKeySlot }) =>
            `Slot ${slot} is authorised by slot ${authKeySlot}, whose secret was not written yet.`,
        ),
  },
  {
    id: "attestation_slot_missing",
    at: configLock,
    find: ({ zone, order }) => {
      const slots = slotsOfKind(order, "attestation");
      if (slots.length === 0) return ["No slot would attest. A key made later could never be trusted."];
      return slots.filter((slot) => !attests(zone, slot)).map((slot) => `Slot ${slot} could not attest.`);
    },
  },
  {
    id: "attestation_slot_signs_external",
    at: configLock,
    find: ({ zone, order }) =>
      slotsOfKind(order, "attestation")
        .filter((slot) => rightsOf(zone, slot).externalSign)
        .map(
          (slot) => `Slot ${slot} would sign whatever a host sends. Its attestations would prove nothing.`,
        ),
  },
  {
    id: "attestation_key_replaceable",
    at: configLock,
    find: ({ zone, order }) =>
      slotsOfKind(order, "attestation")
        .filter((slot) => rightsOf(zone, slot).genKeyAfterLock)
        .map(
          (slot) => `The attestation key in slot ${slot} could be destroyed by anybody who reaches the bus.`,
        ),
  },
  {
    id: "attestation_key_hidden",
    at: configLock,
    find: ({ zone, order }) =>
      slotsOfKind(order, "attestation")
        .filter((slot) => !configuredSlot(zone, slot).key.pubInfo)
        .map((slot) => `The public key of the attestation slot ${slot} could never be read again.`),
  },
  {
    id: "content_unreadable",
    at: configLock,
    find: ({ zone, order }) =>
      contentSlots(order)
        .filter((slot) => rightsOf(zone, slot).readable !== "clear")
        .map((slot) => `Slot ${slot} is to hold data, but nobody could read it.`),
  },
  {
    id: "slot_already_locked",
    at: bothLocks,
    find: ({ zone, order, keysPresent }) =>
      plannedSlots(order)
        .filter((slot) => isSlotLocked(zone, slot))
        // A key that is there may be frozen; a slot frozen empty is lost.
        .filter((slot) => !isPrivateRole(order.slots[slot]) || keysPresent?.has(slot) !== true)
        .map((slot) => `Slot ${slot} is locked before anything is in it.`),
  },
  {
    id: "counter_malformed",
    at: configLock,
    find: ({ zone }) =>
      zone.counters.flatMap((counter, index) =>
        counter.kind === "malformed" ? [`Counter ${index} holds bytes that mean no number.`] : [],
      ),
  },
  {
    id: "use_lock_set",
    at: configLock,
    find: ({ zone }) =>
      zone.useLock.enable !== 0 || zone.volatileKeyPermission !== 0
        ? ["The use of keys would depend on a lock that we have no way to open."]
        : [],
  },
  {
    id: "secure_boot_on",
    at: configLock,
    find: ({ zone }) =>
      zone.secureBoot.mode !== 0 ? ["Secure boot would be on. Our firmware does not serve it."] : [],
  },
  {
    id: "self_test_latches",
    at: configLock,
    find: ({ zone }) =>
      zone.chipOptions.powerOnSelfTest
        ? [
            "The chip would test itself at power-up. It wakes too slowly for our driver, and a fault would stay.",
          ]
        : [],
  },
  {
    id: "io_protection_on",
    at: configLock,
    find: ({ zone }) =>
      zone.chipOptions.ioProtectionKey ? ["An I/O protection key would be wanted. We have none."] : [],
  },
  {
    id: "reserved_bits_set",
    at: configLock,
    find: ({ zone }) =>
      hasReservedBits(zone) ? ["Reserved bits are set. Nobody knows what the chip would do."] : [],
  },
  {
    id: "configuration_not_as_planned",
    at: ["lock-data"],
    find: ({ zone, order }) =>
      zone.slots.flatMap((configured, slot) => {
        const planned = composeSlot(order.slots[slot] ?? { kind: "closed" });
        const isSame = JSON.stringify(configured) === JSON.stringify(planned);
        return isSame ? [] : [`Slot ${slot} is not configured as planned.`];
      }),
  },
  {
    id: "key_missing_for_ever",
    at: ["lock-data"],
    find: ({ zone, order, keysPresent }) =>
      plannedSlots(order)
        .filter((slot) => isPrivateRole(order.slots[slot]))
        .filter((slot) => keysPresent?.has(slot) !== true && !rightsOf(zone, slot).genKeyAfterLock)
        .map((slot) => `Slot ${slot} holds no key yet, and none could be made after the lock.`),
  },
  {
    id: "key_missing",
    at: ["lock-data"],
    find: ({ zone, order, keysPresent }) =>
      plannedSlots(order)
        .filter((slot) => isPrivateRole(order.slots[slot]))
        .filter((slot) => keysPresent?.has(slot) !== true && rightsOf(zone, slot).genKeyAfterLock)
        .map((slot) => `Slot ${slot} holds no key yet. Make it first, so that it can be registered.`),
  },
  {
    id: "slot_frozen_without_key",
    at: ["lock-slot"],
    find: ({ action, zone, keysPresent }) =>
      action.kind === "lock-slot" &&
      configuredSlot(zone, action.slot).key.isPrivate &&
      keysPresent?.has(action.slot) !== true
        ? [`Slot ${action.slot} holds no key. Locked now, it never will.`]
        : [],
  },
  {
    id: "slot_not_lockable",
    at: ["lock-slot"],
    find: ({ action, zone }) =>
      action.kind === "lock-slot" && !configuredSlot(zone, action.slot).key.lockable
        ? [`Slot ${action.slot} was not configured to be lockable.`]
        : [],
  },
  {
    id: "summary_missing",
    at: bothLocks,
    find: ({ summaryCrc, contentCrc }) =>
      summaryCrc === undefined || contentCrc === undefined
        ? ["The lock would go without a summary of what is locked. A disturbed write could be locked in."]
        : [],
  },
  {
    id: "summary_mismatch",
    at: bothLocks,
    find: ({ summaryCrc, contentCrc }) =>
      summaryCrc !== undefined && contentCrc !== undefined && summaryCrc !== contentCrc
        ? ["What the chip holds is not what was meant to be locked."]
        : [],
  },
];

export interface StrandFinding {
  readonly rule: string;
  readonly sentence: string;
}

/** Every way in which this lock would strand the device; none means go. */
export function findStrandings(facts: StrandFacts): readonly StrandFinding[] {
  return strandRules
    .filter(({ at }) => at.includes(facts.action.kind))
    .flatMap((rule) => rule.find(facts).map((sentence) => ({ rule: rule.id, sentence })));
}

/** A rule about each slot that is to sign. */
function forSigningSlots(
  id: string,
  judge: (
    configured: ReturnType<typeof configuredSlot>,
    slot: number,
    role: SlotRole & { kind: "signing" },
  ) => string | undefined,
): StrandRule {
  return {
    id,
    at: configLock,
    find: ({ zone, order }) =>
      slotsOfKind(order, "signing").flatMap((slot) => {
        const role = order.slots[slot];
        if (role?.kind !== "signing") return [];
        const sentence = judge(configuredSlot(zone, slot), slot, role);
        return sentence === undefined ? [] : [sentence];
      }),
  };
}

function plannedSlots(order: ConfigOrder): readonly number[] {
  return Object.keys(order.slots).map(Number);
}

function contentSlots(order: ConfigOrder): readonly number[] {
  return [...slotsOfKind(order, "data"), ...slotsOfKind(order, "public-key")];
}

function isPrivateRole(role: SlotRole | undefined): boolean {
  return role?.kind === "signing" || role?.kind === "attestation";
}

function authorisedSlots(order: ConfigOrder): readonly { slot: number; authKeySlot: number }[] {
  return slotsOfKind(order, "signing").flatMap((slot) => {
    const role = order.slots[slot];
    return role?.kind === "signing" && role.lifecycle === "authorised"
      ? [{ slot, authKeySlot: role.authKeySlot }]
      : [];
  });
}

function isSoundSecret(zone: ConfigZone, slot: number): boolean {
  const { kind, readable, writable } = rightsOf(zone, slot);
  const { keyType } = configuredSlot(zone, slot).key;
  return kind === "secret" && readable === "never" && writable === "never" && keyType === keyTypes.other;
}

function attests(zone: ConfigZone, slot: number): boolean {
  const { kind, internalSign } = rightsOf(zone, slot);
  return kind === "private-key" && internalSign;
}

function privateSlots(zone: ConfigZone): readonly number[] {
  return zone.slots.flatMap(({ key }, slot) => (key.isPrivate ? [slot] : []));
}

function rightsOf(zone: ConfigZone, at: number): ReturnType<typeof slotRights> {
  const { slot, key } = configuredSlot(zone, at);
  return slotRights(slot, key);
}

function hasReservedBits(zone: ConfigZone): boolean {
  return (
    zone.reserved17 !== 0 ||
    zone.reserved75.some((byte) => byte !== 0) ||
    zone.countMatch.reservedBits !== 0 ||
    zone.secureBoot.reservedBits !== 0 ||
    zone.chipOptions.reservedBits !== 0 ||
    zone.slots.some(({ key }) => key.reserved)
  );
}

function hex(address: number): string {
  return `0x${address.toString(16).padStart(2, "0")}`;
}
