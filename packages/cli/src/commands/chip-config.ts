/**
 * `mayfly chip config`: a chip's configuration in plain sentences, and whether it is what a plan wants.
 */
import type { Command } from "commander";
import type { PlanName } from "../chip/plan.ts";
import { type ChipFlags, withChip } from "../chip-flags.ts";
import { CommandFailure } from "../failure.ts";
import { newCommand, newGroup, oneOf, outputOf } from "../flags.ts";
import { withOpenChip } from "../host/chip.ts";

interface ConfigFlags extends ChipFlags {
  readonly plan?: PlanName;
}

export function addChipConfigCommands(group: Command): void {
  const config = newGroup("config", "the chip's Configuration zone: read it, judge it");
  group.addCommand(config);
  const planName = oneOf(["mayfly", "mayfly-immutable"] as const);
  config.addCommand(
    withChip(newCommand("explain", "say in sentences what the chip's configuration means"))
      .option("--plan <PLAN>", "what it would mean once provisioned: mayfly or mayfly-immutable", planName)
      .action(explain),
  );
  config.addCommand(
    withChip(
      newCommand("check", "say whether the chip is configured as a plan wants it; exit 1 if it is not"),
    )
      .option("--plan <PLAN>", "mayfly or mayfly-immutable", planName, "mayfly")
      .action(check),
  );
}

async function explain(flags: ConfigFlags): Promise<void> {
  const output = outputOf(flags);
  const [{ configZoneFor, encodeConfigZone, explainConfigZone, readConfigZone }, { orderOf }] =
    await Promise.all([import("@mayfly/secure-element/provisioning"), import("../chip/plan.ts")]);
  const zone = await withOpenChip(flags, async ({ chip, address }) => {
    const found = await readConfigZone(chip);
    return flags.plan === undefined ? found : configZoneFor(found, orderOf(flags.plan, address));
  });
  const words = explainConfigZone(zone);
  output.result({ configZone: Buffer.from(encodeConfigZone(zone)).toString("hex"), ...words }, () =>
    [...words.chip, ...words.slots.map((sentences, slot) => `slot ${slot}: ${sentences.join(" ")}`)].join(
      "\n",
    ),
  );
}

async function check(flags: ConfigFlags): Promise<void> {
  const output = outputOf(flags);
  const [provisioning, { orderOf }] = await Promise.all([
    import("@mayfly/secure-element/provisioning"),
    import("../chip/plan.ts"),
  ]);
  const plan = flags.plan ?? "mayfly";
  const { zone, planned } = await withOpenChip(flags, async ({ chip, address }) => {
    const found = await provisioning.readConfigZone(chip);
    return { zone: found, planned: provisioning.configZoneFor(found, orderOf(plan, address)) };
  });
  const isLocked = provisioning.isConfigLocked(zone);
  const differences = provisioning
    .differencesFromPlan(zone, planned, isLocked ? "locked" : "open")
    .map(({ sentence }) => sentence);
  const verdict = { plan, asPlanned: differences.length === 0, locked: isLocked, differences };
  output.result(verdict, () =>
    differences.length === 0
      ? `The chip is configured as ${plan}, and ${isLocked ? "locked so" : "not locked yet"}.`
      : [`To be ${plan}, this would have to change:`, ...differences].join("\n"),
  );
  if (differences.length > 0) {
    throw new CommandFailure(
      "check_failed",
      isLocked
        ? `the chip is locked with another configuration than ${plan}`
        : `the chip is not configured as ${plan} yet`,
    );
  }
}
