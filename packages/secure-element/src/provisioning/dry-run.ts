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
        ...listed(slotsOfKind(order, "signing"), "sign tokens, and can never be used otherwise"),
        ...listed(slotsOfKind(order, "attestation"), "attest, and can never sign anything else"),
        ...listed(closedSlots(zone), "stay closed: after the data lock nobody writes or reads them"),
      ];
    case "lock-data":
      return [
        "The rights of all slots come into force and can never be lifted.",
        "The OTP zone can never be written again.",
        ...listed(keptKeys(zone), "keep the key they hold now; nobody can ever replace it"),
        ...listed(replaceableKeys(zone), "may get new keys later, each destroying the one before"),
        ...listed(unwritable(zone), "keep the content they hold now"),
      ];
    case "lock-slot":
      return [
        configuredSlot(zone, action.slot).key.isPrivate
          ? `The key in slot ${action.slot} can never be replaced, also not when it is suspected.`
          : `The content of slot ${action.slot} can never be changed, also not when a certificate ends.`,
      ];
  }
}

function listed(slots: readonly number[], what: string): readonly string[] {
  if (slots.length === 0) return [];
  return [`${slots.length === 1 ? "Slot" : "Slots"} ${slots.join(", ")}: ${what}.`];
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
