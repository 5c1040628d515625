/**
 * What provisioning would do to a chip, told before any of it is done.
 *
 * Reads nothing and writes nothing: it judges an observation. The locks are judged as if all steps before them had
 * gone well, so what is refused here is a fault of the plan or of the chip, and no run could mend it.
 */
import { configZoneFor, slotsOfKind } from "./compose-config-zone.ts";
import { type ConfigZone, isConfigLocked, isDataLocked, isSlotLocked } from "./config-zone.ts";
import { differencesFromPlan } from "./diff-config-zones.ts";
import { type DryRun, dryRunLock } from "./dry-run.ts";
import {
  type ChipObservation,
  freshMemory,
  keySlots,
  type ProvisioningPlan,
  type ProvisioningStep,
  planProvisioning,
  type StationMemory,
} from "./provisioning-plan.ts";
import type { LockAction, StrandFacts } from "./strand-rules.ts";

export interface ProvisioningForecast {
  readonly nextStep: ProvisioningStep;
  /** Bytes of the configuration that would change, in words. */
  readonly changes: readonly string[];
  /** The locks that are still to come, in their order, each with what it makes irreversible. */
  readonly locks: readonly DryRun[];
  /** Why the plan must not be carried out; empty means that nothing speaks against it. */
  readonly refused: readonly string[];
}

/** @param currentAddress 7-bit address the chip answers at. */
export function forecastProvisioning(
  chip: ChipObservation,
  plan: ProvisioningPlan,
  currentAddress: number,
  memory: StationMemory = freshMemory(""),
): ProvisioningForecast {
  const { config } = chip;
  const nextStep = planProvisioning(chip, plan, memory);
  const planned = configZoneFor(config, plan.order);
  const isOpen = !isConfigLocked(config);
  const locks =
    nextStep.kind === "refuse"
      ? []
      : locksToCome(config, plan).map((action) =>
          dryRunLock(factsAsPlanned(action, planned, plan, currentAddress)),
        );
  return {
    nextStep,
    changes: isOpen ? differencesFromPlan(config, planned, "open").map(({ sentence }) => sentence) : [],
    locks,
    refused: [
      ...(nextStep.kind === "refuse" ? nextStep.because : []),
      ...locks.flatMap(({ refused }) => refused.map(({ sentence }) => sentence)),
    ],
  };
}

function locksToCome(config: ConfigZone, { lockSlots }: ProvisioningPlan): readonly LockAction[] {
  return [
    ...(isConfigLocked(config) ? [] : [{ kind: "lock-config" } as const]),
    ...(isDataLocked(config) ? [] : [{ kind: "lock-data" } as const]),
    ...lockSlots
      .filter((slot) => !isSlotLocked(config, slot))
      .map((slot) => ({ kind: "lock-slot", slot }) as const),
  ];
}

/** The facts of a lock once everything before it went as planned: keys made, contents written, sums equal. */
function factsAsPlanned(
  action: LockAction,
  zone: ConfigZone,
  { order, addressChangeWanted }: ProvisioningPlan,
  currentAddress: number,
): StrandFacts {
  const written = ["data", "public-key", "closed"] as const;
  const authorising = slotsOfKind(order, "signing").flatMap((slot) => {
    const role = order.slots[slot];
    return role?.kind === "signing" && role.lifecycle === "authorised" ? [role.authKeySlot] : [];
  });
  return {
    action,
    zone,
    order,
    currentAddress,
    addressChangeWanted,
    keysPresent: new Set(keySlots(order)),
    slotsWritten: new Set([...written.flatMap((kind) => slotsOfKind(order, kind)), ...authorising]),
    summaryCrc: 0,
    contentCrc: 0,
  };
}
