import assert from "node:assert/strict";
import test from "node:test";
import { mayflyZone } from "../../test/provisioning-data.ts";
import {
  type ConfigOrder,
  configZoneFor,
  mayflyConfigOrder,
  mayflyImmutableConfigOrder,
} from "./compose-config-zone.ts";
import { type ConfigZone, decodeConfigZone } from "./config-zone.ts";
import { dryRunLock } from "./dry-run.ts";
import type { KeyConfig, SlotConfig } from "./slot-config.ts";
import { findStrandings, type StrandFacts, strandRules } from "./strand-rules.ts";

const sound = decodeConfigZone(mayflyZone);
const keys = new Set([0, 1, 2, 3]);

/** A lock against which nothing speaks, but for what a case changes. */
function facts(changes: Partial<StrandFacts> = {}): StrandFacts {
  return {
    action: { kind: "lock-config" },
    zone: sound,
    order: mayflyConfigOrder,
    currentAddress: 0x60,
    addressChangeWanted: false,
    keysPresent: keys,
    slotsWritten: new Set([8, 10, 11, 12]),
    summaryCrc: 0x1234,
    contentCrc: 0x1234,
    ...changes,
  };
}

/** The sound configuration with one slot changed. */
function withSlot(
  at: number,
  changes: { readonly slot?: Partial<SlotConfig>; readonly key?: Partial<KeyConfig> },
): ConfigZone {
  return {
    ...sound,
    slots: sound.slots.map((configured, index) =>
      index === at
        ? { slot: { ...configured.slot, ...changes.slot }, key: { ...configured.key, ...changes.key } }
        : configured,
    ),
  };
}

const immutable = configZoneFor(sound, mayflyImmutableConfigOrder);
const authorised: ConfigOrder = {
  ...mayflyConfigOrder,
  slots: { ...mayflyConfigOrder.slots, 2: { kind: "signing", lifecycle: "authorised", authKeySlot: 5 } },
};
const authorisedByData: ConfigOrder = {
  ...mayflyConfigOrder,
  slots: { ...mayflyConfigOrder.slots, 2: { kind: "signing", lifecycle: "authorised", authKeySlot: 8 } },
};
const { 1: _attestation, ...unattested } = mayflyConfigOrder.slots;
const lockData = { kind: "lock-data" } as const;

/** For each rule, at least one lock that it alone, or it among others, must stop. */
const strandings: readonly { rule: string; facts: StrandFacts }[] = [
  {
    rule: "part_unsupported",
    facts: facts({ zone: { ...sound, revision: Uint8Array.of(0, 0, 0x50, 0) } }),
  },
  { rule: "address_invalid", facts: facts({ zone: { ...sound, i2cAddress: 0x00 } }) },
  { rule: "address_invalid", facts: facts({ zone: { ...sound, i2cAddress: 0xc1 } }) },
  { rule: "address_changes", facts: facts({ zone: { ...sound, i2cAddress: 0x6a } }) },
  {
    rule: "address_from_user_extra",
    facts: facts({ zone: { ...sound, chipMode: { ...sound.chipMode, addressFromUserExtra: true } } }),
  },
  { rule: "i2c_disabled", facts: facts({ zone: { ...sound, i2cEnable: 0 } }) },
  {
    rule: "clock_unknown",
    facts: facts({ zone: { ...sound, chipMode: { ...sound.chipMode, clockDivider: 3 } } }),
  },
  {
    rule: "watchdog_cuts_commands",
    facts: facts({ zone: { ...sound, chipMode: { ...sound.chipMode, clockDivider: 0x0d } } }),
  },
  {
    rule: "signing_slot_none",
    facts: facts({ order: { ...mayflyConfigOrder, slots: { 1: { kind: "attestation" } } } }),
  },
  { rule: "signing_slot_not_private", facts: facts({ zone: withSlot(0, { key: { isPrivate: false } }) }) },
  { rule: "private_key_readable", facts: facts({ zone: withSlot(3, { slot: { isSecret: false } }) }) },
  { rule: "private_key_importable", facts: facts({ zone: withSlot(2, { slot: { writeConfig: 6 } }) }) },
  { rule: "private_key_type_wrong", facts: facts({ zone: withSlot(2, { key: { keyType: 7 } }) }) },
  { rule: "signing_slot_cannot_sign", facts: facts({ zone: withSlot(0, { slot: { readKey: 0 } }) }) },
  { rule: "signing_slot_signs_internal", facts: facts({ zone: withSlot(0, { slot: { readKey: 3 } }) }) },
  { rule: "public_key_hidden", facts: facts({ zone: withSlot(2, { key: { pubInfo: false } }) }) },
  { rule: "signing_slot_wants_random", facts: facts({ zone: withSlot(0, { key: { reqRandom: true } }) }) },
  { rule: "signing_slot_limited", facts: facts({ zone: withSlot(0, { slot: { limitedUse: true } }) }) },
  { rule: "signing_slot_latched", facts: facts({ zone: withSlot(0, { key: { persistentDisable: true } }) }) },
  {
    rule: "signing_slot_wants_authorisation",
    facts: facts({ zone: withSlot(0, { key: { reqAuth: true, authKey: 5 } }) }),
  },
  {
    rule: "authorising_secret_unsound",
    facts: facts({ order: authorisedByData, zone: configZoneFor(sound, authorisedByData) }),
  },
  {
    rule: "authorising_secret_missing",
    facts: facts({ action: lockData, order: authorised, zone: configZoneFor(sound, authorised) }),
  },
  {
    rule: "attestation_slot_missing",
    facts: facts({ order: { ...mayflyConfigOrder, slots: unattested } }),
  },
  { rule: "attestation_slot_missing", facts: facts({ zone: withSlot(1, { slot: { readKey: 0 } }) }) },
  { rule: "attestation_slot_signs_external", facts: facts({ zone: withSlot(1, { slot: { readKey: 3 } }) }) },
  { rule: "attestation_key_replaceable", facts: facts({ zone: withSlot(1, { slot: { writeConfig: 2 } }) }) },
  { rule: "attestation_key_hidden", facts: facts({ zone: withSlot(1, { key: { pubInfo: false } }) }) },
  { rule: "content_unreadable", facts: facts({ zone: withSlot(10, { slot: { isSecret: true } }) }) },
  {
    rule: "slot_already_locked",
    facts: facts({ zone: { ...sound, slotsUnlocked: 0xfffe }, keysPresent: undefined }),
  },
  { rule: "slot_already_locked", facts: facts({ zone: { ...sound, slotsUnlocked: 0xfbff } }) },
  {
    rule: "counter_malformed",
    facts: facts({
      zone: { ...sound, counters: [{ kind: "malformed", bytes: new Uint8Array(8) }, sound.counters[1]] },
    }),
  },
  { rule: "use_lock_set", facts: facts({ zone: { ...sound, useLock: { enable: 0xa, slot: 0 } } }) },
  { rule: "use_lock_set", facts: facts({ zone: { ...sound, volatileKeyPermission: 1 } }) },
  {
    rule: "secure_boot_on",
    facts: facts({ zone: { ...sound, secureBoot: { ...sound.secureBoot, mode: 1 } } }),
  },
  {
    rule: "self_test_latches",
    facts: facts({ zone: { ...sound, chipOptions: { ...sound.chipOptions, powerOnSelfTest: true } } }),
  },
  {
    rule: "io_protection_on",
    facts: facts({ zone: { ...sound, chipOptions: { ...sound.chipOptions, ioProtectionKey: true } } }),
  },
  { rule: "reserved_bits_set", facts: facts({ zone: { ...sound, reserved17: 1 } }) },
  { rule: "reserved_bits_set", facts: facts({ zone: withSlot(7, { key: { reserved: true } }) }) },
  {
    rule: "configuration_not_as_planned",
    facts: facts({ action: lockData, zone: withSlot(9, { slot: { readKey: 1 } }) }),
  },
  {
    rule: "key_missing_for_ever",
    facts: facts({
      action: lockData,
      zone: immutable,
      order: mayflyImmutableConfigOrder,
      keysPresent: new Set([0, 1, 3]),
    }),
  },
  { rule: "key_missing_for_ever", facts: facts({ action: lockData, keysPresent: new Set([0, 2, 3]) }) },
  { rule: "key_missing", facts: facts({ action: lockData, keysPresent: new Set([0, 1, 3]) }) },
  { rule: "key_missing", facts: facts({ action: lockData, keysPresent: undefined }) },
  {
    rule: "slot_frozen_without_key",
    facts: facts({ action: { kind: "lock-slot", slot: 2 }, keysPresent: new Set([0]) }),
  },
  { rule: "slot_not_lockable", facts: facts({ action: { kind: "lock-slot", slot: 1 } }) },
  { rule: "summary_missing", facts: facts({ summaryCrc: undefined }) },
  { rule: "summary_missing", facts: facts({ action: lockData, contentCrc: undefined }) },
  { rule: "summary_mismatch", facts: facts({ contentCrc: 0x4321 }) },
  { rule: "summary_mismatch", facts: facts({ action: lockData, contentCrc: 0x4321 }) },
];

for (const [index, { rule, facts: stranding }] of strandings.entries()) {
  test(`${rule} refuses a lock that would strand the device (case ${index + 1})`, () => {
    const found = findStrandings(stranding).filter((finding) => finding.rule === rule);

    assert.ok(found.length > 0);
    assert.ok(found.every(({ sentence }) => sentence.endsWith(".")));
  });
}

test("every rule of the table has a case", () => {
  const covered = new Set(strandings.map(({ rule }) => rule));

  assert.deepEqual(
    strandRules.filter(({ id }) => !covered.has(id)).map(({ id }) => id),
    [],
  );
  assert.equal(new Set(strandRules.map(({ id }) => id)).size, strandRules.length);
});

const slot2 = { kind: "lock-slot", slot: 2 } as const;
for (const action of [{ kind: "lock-config" } as const, lockData, slot2]) {
  test(`nothing speaks against ${action.kind} of the recommended configuration, rotatable or immutable`, () => {
    const found = [
      ...findStrandings(facts({ action })),
      ...(action.kind === "lock-slot"
        ? []
        : findStrandings(facts({ action, zone: immutable, order: mayflyImmutableConfigOrder }))),
    ];

    assert.deepEqual(found, []);
  });
}

test("nothing speaks against keys that need an authorisation whose secret is written", () => {
  const zone = configZoneFor(sound, authorised);
  const slotsWritten = new Set([5, 8, 10, 11, 12]);

  assert.deepEqual(findStrandings(facts({ zone, order: authorised, slotsWritten })), []);
  assert.deepEqual(findStrandings(facts({ action: lockData, zone, order: authorised, slotsWritten })), []);
});

test("a change of address that is wanted is let through", () => {
  const zone = { ...sound, i2cAddress: 0x6a };

  assert.deepEqual(findStrandings(facts({ zone, addressChangeWanted: true })), []);
});

test("a slow clock with the long watchdog is let through", () => {
  const chipMode = { ...sound.chipMode, clockDivider: 0x0d, watchdog: "long" } as const;

  assert.deepEqual(findStrandings(facts({ zone: { ...sound, chipMode } })), []);
});

test("the dry run of the configuration lock says what is for ever", () => {
  assert.deepEqual(dryRunLock(facts()).irreversible, [
    "The configuration can never be changed again.",
    "The chip answers at I2C address 0x60 for ever.",
    "For signing tokens and nothing else: slots 0, 2, 3.",
    "For attesting and nothing else: slot 1.",
    "Closed to everybody after the data lock: slots 4, 5, 6, 7, 9, 13, 14, 15.",
  ]);
});

test("the dry run of the data lock tells the keys that stay from those that can be replaced", () => {
  assert.deepEqual(dryRunLock(facts({ action: lockData })).irreversible, [
    "The rights of all slots come into force and can never be lifted.",
    "The OTP zone can never be written again.",
    "The key of now stays, and nobody can replace it: slot 1.",
    "A new key can be made later, which destroys the one before: slots 0, 2, 3.",
    "The content of now stays: slots 4, 5, 6, 7, 9, 13, 14, 15.",
  ]);
});

test("the dry run of a slot lock speaks of the key, or of the content", () => {
  const slot10 = { kind: "lock-slot", slot: 10 } as const;

  assert.deepEqual(dryRunLock(facts({ action: slot2 })).irreversible, [
    "The key in slot 2 can never be replaced, also not when it is suspected.",
  ]);
  assert.deepEqual(dryRunLock(facts({ action: slot10 })).irreversible, [
    "The content of slot 10 can never be changed, also not when a certificate ends.",
  ]);
});
