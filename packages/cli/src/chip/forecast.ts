/**
 * What provisioning a chip would do, step by step to the end, without touching it.
 *
 * The plan is asked for the next step of a chip that exists on paper only: it starts as the real one was seen, and
 * each step is taken to have worked. So a dry run and a run cannot disagree about what comes next.
 */
import {
  type ChipObservation,
  dryRunLock,
  type LockAction,
  type ProvisioningPlan,
  type ProvisioningStep,
  planProvisioning,
  provisioningStepsMax,
  rememberStep,
  type StationMemory,
} from "@mayfly/secure-element/provisioning";

export interface ForecastStep {
  readonly kind: ProvisioningStep["kind"];
  readonly sentence: string;
  /** What can never be undone, in sentences; empty where all of it can. */
  readonly irreversible: readonly string[];
  /** Why it would not be done. */
  readonly refused: readonly string[];
}

/** @returns The steps that are left; the last one is `done`, or has a refusal. */
export function forecastProvisioning(
  seen: ChipObservation,
  plan: ProvisioningPlan,
  known: {
    readonly memory: StationMemory;
    readonly currentAddress: number;
    readonly contents: readonly number[];
  },
): readonly ForecastStep[] {
  const steps: ForecastStep[] = [];
  let chip = seen;
  let memory = known.memory;
  while (steps.length < provisioningStepsMax) {
    const step = planProvisioning(chip, plan, memory);
    const dryRun = isLock(step) ? dryRunOf(step, chip, plan, { ...known, memory }) : undefined;
    const refused = step.kind === "refuse" ? step.because : (dryRun?.refused ?? []);
    steps.push({
      kind: step.kind,
      sentence: sentenceOf(step),
      irreversible: dryRun?.irreversible ?? [],
      refused,
    });
    if (step.kind === "done" || refused.length > 0) return steps;
    chip = afterStep(chip, step);
    memory = rememberStep(memory, step, { crc: 0, slots: known.contents });
  }
  return steps;
}

/** The step in words. */
export function sentenceOf(step: ProvisioningStep): string {
  switch (step.kind) {
    case "write-config":
      return "Write the configuration, read it back and compare.";
    case "lock-config":
      return "Lock the configuration.";
    case "create-key":
      return `Have the chip make a key in slot ${step.slot}.`;
    case "write-contents":
      return "Write the data slots and the OTP zone.";
    case "lock-data":
      return "Lock the data and OTP zones.";
    case "check-contents":
      return "Read the data slots back and compare.";
    case "prove-key":
      return step.by === "attestation"
        ? `Have slot ${step.slot} attest its own key, and verify it.`
        : `Have the key in slot ${step.slot} sign a possession statement, and verify it.`;
    case "lock-slot":
      return `Lock slot ${step.slot}.`;
    case "done":
      return "The chip is as planned.";
    case "refuse":
      return "The chip cannot be provisioned so.";
  }
}

function isLock(step: ProvisioningStep): step is ProvisioningStep & LockAction {
  return step.kind === "lock-config" || step.kind === "lock-data" || step.kind === "lock-slot";
}

function dryRunOf(
  action: LockAction,
  chip: ChipObservation,
  plan: ProvisioningPlan,
  known: { readonly memory: StationMemory; readonly currentAddress: number },
): { readonly irreversible: readonly string[]; readonly refused: readonly string[] } {
  const { contents } = known.memory;
  const { irreversible, refused } = dryRunLock({
    action,
    zone: chip.config,
    order: plan.order,
    currentAddress: known.currentAddress,
    addressChangeWanted: plan.addressChangeWanted,
    keysPresent: chip.keysPresent,
    slotsWritten: contents === undefined ? undefined : new Set(contents.slots),
    // On paper the chip holds what was written; whether it does is judged again before the lock itself.
    summaryCrc: 0,
    contentCrc: 0,
  });
  return { irreversible, refused: refused.map(({ sentence }) => sentence) };
}

/** The chip as it would be. */
function afterStep(chip: ChipObservation, step: ProvisioningStep): ChipObservation {
  const { config } = chip;
  switch (step.kind) {
    case "write-config":
      return { ...chip, config: step.zone };
    case "lock-config":
      return { config: { ...config, lockConfig: 0 }, keysPresent: new Set() };
    case "create-key":
      return { ...chip, keysPresent: new Set([...(chip.keysPresent ?? []), step.slot]) };
    case "lock-data":
      return { ...chip, config: { ...config, lockValue: 0 } };
    case "lock-slot":
      return { ...chip, config: { ...config, slotsUnlocked: config.slotsUnlocked & ~(1 << step.slot) } };
    default:
      return chip;
  }
}
