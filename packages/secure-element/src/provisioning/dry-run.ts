/**
 * The dry run before a lock: what will be for ever, in plain sentences, and what speaks against it.
 *
 * A lock cannot be undone by anybody, the vendor included. So nothing here is locked without a dry run whose
 * `refused` is empty, and a person (or a station's order) that has agreed to the sentences.
 */
import { slotsOfKind } from "./compose-config-zone.ts";
import { type ConfigZone, configuredSlot } from "./config-zone.ts";
import { slotRights } from "./slot-config.ts";
import { findStrandings, type LockAction, type StrandFacts, type StrandFinding } from "./strand-rules.ts";

export interface DryRun {
  readonly action: LockAction;
  /** What becomes irreversible. */
  readonly irreversible: readonly string[];
  /** Why it must not be done; empty means that it may. */
  readonly refused: readonly StrandFinding[];
}

/** Judges a lock that has not happened. Touches no chip. */
export function dryRunLock(facts: StrandFacts): DryRun {
  return { action: facts.action, irreversible: irreversibleBy(facts), refused: findStrandings(facts) };
}

function irreversibleBy({ action, zone, order }: StrandFacts): readonly string[] {
  switch (action.kind) {
    case "lock-config":
      return [
        "The configuration can never be changed again.",
        `The chip answers at I2C address 0x${(zone.i2cAddress >> 1).toString(16)} for ever.`,
        ...listed("For signing tokens and nothing else", slotsOfKind(order, "signing")),
        ...listed("For attesting and nothing else", slotsOfKind(order, "attestation")),
        ...listed("Closed to everybody after the data lock", closedSlots(zone)),
      ];
    case "lock-data":
      return [
        "The rights of all slots come into force and can never be lifted.",
        "The OTP zone can never be written again.",
        ...listed("The key of now stays, and nobody can replace it", keptKeys(zone)),
        ...listed("A new key can be made later, which destroys the one before", replaceableKeys(zone)),
        ...listed("The content of now stays", unwritable(zone)),
      ];
    case "lock-slot":
      return [
        configuredSlot(zone, action.slot).key.isPrivate
          ? `The key in slot ${action.slot} can never be replaced, also not when it is suspected.`
          : `The content of slot ${action.slot} can never be changed, also not when a certificate ends.`,
      ];
  }
}

function listed(what: string, slots: readonly number[]): readonly string[] {
  if (slots.length === 0) return [];
  return [`${what}: ${slots.length === 1 ? "slot" : "slots"} ${slots.join(", ")}.`];
}

function keptKeys(zone: ConfigZone): readonly number[] {
  return slotsWhere(zone, ({ kind, genKeyAfterLock }) => kind === "private-key" && !genKeyAfterLock);
}

function replaceableKeys(zone: ConfigZone): readonly number[] {
  return slotsWhere(zone, ({ kind, genKeyAfterLock }) => kind === "private-key" && genKeyAfterLock);
}

function unwritable(zone: ConfigZone): readonly number[] {
  return slotsWhere(zone, ({ kind, writable }) => kind !== "private-key" && writable === "never");
}

function closedSlots(zone: ConfigZone): readonly number[] {
  return slotsWhere(
    zone,
    ({ kind, writable, readable }) => kind !== "private-key" && writable === "never" && readable === "never",
  );
}

function slotsWhere(
  zone: ConfigZone,
  matches: (rights: ReturnType<typeof slotRights>) => boolean,
): readonly number[] {
  return zone.slots.flatMap(({ slot, key }, index) => (matches(slotRights(slot, key)) ? [index] : []));
}
