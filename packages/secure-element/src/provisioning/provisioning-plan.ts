/**
 * The next step of provisioning, from what the chip shows and what the station remembers: a pure function.
 *
 * There is no stored position that could be wrong. After a power loss at any point the chip is looked at again
 * and the answer follows: a zone that differs is written, an open zone that agrees is locked, and so on in the
 * order of atecc608.md §3.5. What an open chip does not show (which keys are ours, what the data slots hold) is
 * in the station's memory; a station that lost it does those steps again, which is harmless until the data lock.
 *
 * A key found in an open chip is never believed: until the data lock anybody may have brought it in from
 * outside. The station makes its own.
 */
import { type ConfigOrder, configZoneFor, slotsOfKind } from "./compose-config-zone.ts";
import {
  type ConfigZone,
  configuredSlot,
  isConfigLocked,
  isDataLocked,
  isSlotLocked,
} from "./config-zone.ts";
import { differencesFromPlan, hexText } from "./diff-config-zones.ts";
import { slotRights } from "./slot-config.ts";

export interface ProvisioningPlan {
  readonly order: ConfigOrder;
  /** Slots to freeze at the very end. Most chips want none. */
  readonly lockSlots: readonly number[];
  /** The order's address is not the chip's, and that is meant. */
  readonly addressChangeWanted: boolean;
}

/** What the chip shows of itself. */
export interface ChipObservation {
  readonly config: ConfigZone;
  /** Private slots of a locked configuration that hold a key; `undefined` while it is open. */
  readonly keysPresent: ReadonlySet<number> | undefined;
}

/** What the station knows and an open chip does not tell. Plain JSON; may be lost at any time. */
export interface StationMemory {
  /** Whose memory it is: 18 hexadecimal digits. */
  readonly chipSerial: string;
  /** Slots whose key was made at our order. */
  readonly keysCreated: readonly number[];
  /** What was written for these keys; absent until the last block is in. */
  readonly contents?: WrittenContents;
  /** The content read back after the data lock was found good. */
  readonly contentsChecked: boolean;
  /** Slots whose key signed a possession statement, or for the attestation slot an attestation. */
  readonly keysProved: readonly number[];
}

export interface WrittenContents {
  /** Data summary, over all slots without a private key and OTP. */
  readonly crc: number;
  /** Slots that were given a content; the others hold zeros. */
  readonly slots: readonly number[];
}

export type ProvisioningStep =
  | { readonly kind: "write-config"; readonly zone: ConfigZone }
  | { readonly kind: "lock-config" }
  | { readonly kind: "create-key"; readonly slot: number }
  | { readonly kind: "write-contents" }
  | { readonly kind: "lock-data" }
  | { readonly kind: "check-contents" }
  | { readonly kind: "prove-key"; readonly slot: number; readonly by: "possession" | "attestation" }
  | { readonly kind: "lock-slot"; readonly slot: number }
  | { readonly kind: "done" }
  | { readonly kind: "refuse"; readonly because: readonly string[] };

/** A memory that knows nothing yet. */
export function freshMemory(chipSerial: string): StationMemory {
  return { chipSerial, keysCreated: [], contentsChecked: false, keysProved: [] };
}

/** 18 lower-case hexadecimal digits. */
export function chipSerialText(serialNumber: Uint8Array): string {
  return hexText(serialNumber).split(" ").join("").toLowerCase();
}

/** @param remembered Memory of another chip is taken for none. */
export function planProvisioning(
  chip: ChipObservation,
  plan: ProvisioningPlan,
  remembered: StationMemory,
): ProvisioningStep {
  const { config } = chip;
  const serial = chipSerialText(config.serialNumber);
  const memory = remembered.chipSerial === serial ? remembered : freshMemory(serial);
  const planned = configZoneFor(config, plan.order);
  if (!isConfigLocked(config)) return planOpenConfig(config, planned);

  const foreign = differencesFromPlan(config, planned, "locked");
  if (foreign.length > 0) {
    return {
      kind: "refuse",
      because: [
        "The chip is locked with another configuration than planned.",
        ...foreign.map(({ sentence }) => sentence),
      ],
    };
  }
  return isDataLocked(config) ? planLocked(chip, plan, memory) : planOpenData(plan, memory);
}

function planOpenConfig(config: ConfigZone, planned: ConfigZone): ProvisioningStep {
  if (isDataLocked(config)) {
    return { kind: "refuse", because: ["The data zone is locked before the configuration: a broken chip."] };
  }
  const open = differencesFromPlan(config, planned, "open");
  return open.length > 0 ? { kind: "write-config", zone: planned } : { kind: "lock-config" };
}

function planOpenData({ order }: ProvisioningPlan, memory: StationMemory): ProvisioningStep {
  const missing = keySlots(order).find((slot) => !memory.keysCreated.includes(slot));
  if (missing !== undefined) return { kind: "create-key", slot: missing };
  return memory.contents === undefined ? { kind: "write-contents" } : { kind: "lock-data" };
}

function planLocked(
  { config, keysPresent }: ChipObservation,
  { order, lockSlots }: ProvisioningPlan,
  memory: StationMemory,
): ProvisioningStep {
  const missing = keySlots(order).filter((slot) => keysPresent?.has(slot) !== true);
  for (const slot of missing) {
    const { slot: slotConfig, key } = configuredSlot(config, slot);
    if (slotRights(slotConfig, key).genKeyAfterLock && !isSlotLocked(config, slot)) {
      return { kind: "create-key", slot };
    }
    return { kind: "refuse", because: [`Slot ${slot} holds no key, and none can be made any more.`] };
  }
  if (!memory.contentsChecked) return { kind: "check-contents" };
  const attesting = slotsOfKind(order, "attestation");
  const unproved = keySlots(order).find((slot) => !memory.keysProved.includes(slot));
  if (unproved !== undefined) {
    const by = attesting.includes(unproved) ? "attestation" : "possession";
    return { kind: "prove-key", slot: unproved, by };
  }
  const toLock = lockSlots.find((slot) => !isSlotLocked(config, slot));
  return toLock === undefined ? { kind: "done" } : { kind: "lock-slot", slot: toLock };
}

/** Slots that shall hold a private key: those that sign and those that attest, in rising order. */
export function keySlots(order: ConfigOrder): readonly number[] {
  return [...slotsOfKind(order, "signing"), ...slotsOfKind(order, "attestation")].sort((a, b) => a - b);
}

/** What the station knows after a step that succeeded. A new key makes all content written before stale. */
export function rememberStep(
  memory: StationMemory,
  step: ProvisioningStep,
  contents?: WrittenContents,
): StationMemory {
  switch (step.kind) {
    case "create-key": {
      const { contents: _stale, ...kept } = memory;
      return {
        ...kept,
        keysCreated: [...memory.keysCreated.filter((slot) => slot !== step.slot), step.slot],
        keysProved: memory.keysProved.filter((slot) => slot !== step.slot),
        contentsChecked: false,
      };
    }
    case "write-contents":
      return contents === undefined ? memory : { ...memory, contents };
    case "check-contents":
      return { ...memory, contentsChecked: true };
    case "prove-key":
      return { ...memory, keysProved: [...memory.keysProved, step.slot] };
    default:
      return memory;
  }
}

/** The content could not be locked in: it shall be written again. */
export function forgetContents({ contents: _forgotten, ...kept }: StationMemory): StationMemory {
  return kept;
}
