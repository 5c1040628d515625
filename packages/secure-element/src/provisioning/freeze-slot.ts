/**
 * Locking one slot of a chip that is in use: looked at, judged, agreed to, and only then done.
 */
import { lockSlot } from "./chip-commands.ts";
import type { ConfigOrder } from "./compose-config-zone.ts";
import { isDataLocked, isSlotLocked } from "./config-zone.ts";
import { type DryRun, dryRunLock } from "./dry-run.ts";
import type { FactoryChip } from "./factory-chip.ts";
import { observeChip } from "./run-provisioning.ts";
import type { StrandFinding } from "./strand-rules.ts";

export type FreezeOutcome =
  | { readonly kind: "locked" }
  | { readonly kind: "locked-already" }
  | { readonly kind: "not-agreed" }
  | { readonly kind: "refused"; readonly because: readonly StrandFinding[] };

/** The rules of a slot lock look at the chip alone; what was once ordered for its slots is not asked. */
const noOrder: ConfigOrder = { address: 0, slots: {}, clock: "m0", watchdog: "short" };

/**
 * @param agreeToLock Shown the dry run, says whether to lock.
 * @throws {ProvisioningError} `lock_refused`. Rejects with the driver's error too.
 */
export async function freezeSlot(
  chip: FactoryChip,
  slot: number,
  agreeToLock: (dryRun: DryRun) => Promise<boolean>,
): Promise<FreezeOutcome> {
  const { config, keysPresent } = await observeChip(chip);
  if (isSlotLocked(config, slot)) return { kind: "locked-already" };
  if (!isDataLocked(config)) {
    // Whether an open chip takes it is not known (atecc608.md §10), and its content is not settled.
    return {
      kind: "refused",
      because: [{ rule: "data_zone_open", sentence: "The data zone is open. Lock it first." }],
    };
  }
  const dryRun = dryRunLock({
    action: { kind: "lock-slot", slot },
    zone: config,
    order: noOrder,
    currentAddress: config.i2cAddress >> 1,
    addressChangeWanted: false,
    keysPresent,
    slotsWritten: undefined,
    summaryCrc: undefined,
    contentCrc: undefined,
  });
  if (dryRun.refused.length > 0) return { kind: "refused", because: dryRun.refused };
  if (!(await agreeToLock(dryRun))) return { kind: "not-agreed" };
  await lockSlot(chip, slot);
  return { kind: "locked" };
}
