/**
 * `mayfly chip provision`: from a blank chip to one that signs tokens, resumable after anything that stopped it.
 *
 * Two locks on the way are for ever. Without `--yes-lock-forever` it goes as far as what can be undone, then says
 * what the lock would make irreversible, and ends with exit code 1.
 */
import { join } from "node:path";
import type { ProvisioningOutcome } from "@mayfly/secure-element/provisioning";
import type { Command } from "commander";
import type { ForecastStep } from "../chip/forecast.ts";
import type { PlanName } from "../chip/plan.ts";
import { type ChipFlags, parseChipAddress, withChip } from "../chip-flags.ts";
import { CommandFailure } from "../failure.ts";
import { newCommand, oneOf, outputOf, repeated } from "../flags.ts";
import { withOpenChip } from "../host/chip.ts";
import { DATA_FOLDER_DEFAULT } from "../host/endpoints.ts";
import { environmentSettings } from "../host/environment.ts";
import { readBytes } from "../host/files.ts";
import { publicKeyOfPoint } from "../host/keys.ts";
import { splitKeyFlag } from "../key-flag.ts";
import { formatTable, type Output } from "../output.ts";

interface ProvisionFlags extends ChipFlags {
  readonly plan: PlanName;
  readonly dryRun?: true;
  readonly yesLockForever?: true;
  readonly content?: readonly string[];
  readonly lockSlot?: readonly string[];
  readonly newAddress?: number;
  readonly data?: string;
}

export function addChipProvisionCommand(group: Command): void {
  group.addCommand(
    withChip(newCommand("provision", "configure a chip, have it make its keys, lock it, and prove each key"))
      .option(
        "--plan <PLAN>",
        "mayfly: keys that can be replaced; mayfly-immutable: keys for ever",
        oneOf(["mayfly", "mayfly-immutable"] as const),
        "mayfly",
      )
      .option("--dry-run", "say what would be done, and what of it is irreversible; touch nothing")
      .option("--yes-lock-forever", "agree to the locks, which nobody can undo")
      .option(
        "--content <FILE:SLOT>",
        "what a data slot shall hold, bytes as they are; may be repeated",
        repeated,
      )
      .option("--lock-slot <SLOT>", "lock this slot too, at the very end; may be repeated", repeated)
      .option("--new-address <ADDRESS>", "I2C address from now on, such as 0x35", parseChipAddress)
      .option("--data <DIR>", "data folder, where the run is remembered by chip (default mayfly-data)")
      .action(provision),
  );
}

async function provision(flags: ProvisionFlags): Promise<void> {
  const output = outputOf(flags);
  const [
    { chipSerialText, observeChip, slotsOfKind },
    { orderOf },
    { forecastProvisioning, sentenceOf },
    station,
  ] = await Promise.all([
    import("@mayfly/secure-element/provisioning"),
    import("../chip/plan.ts"),
    import("../chip/forecast.ts"),
    import("../chip/station.ts"),
  ]);
  const contents = await readContents(flags.content ?? []);
  const lockSlots = (flags.lockSlot ?? []).map(parseSlot);
  const folder = flags.data ?? environmentSettings().data ?? DATA_FOLDER_DEFAULT;

  await withOpenChip(flags, async (opened) => {
    const order = orderOf(flags.plan, flags.newAddress ?? opened.address);
    const dataSlots = [...slotsOfKind(order, "data"), ...slotsOfKind(order, "public-key")];
    const misplaced = [...contents.keys()].find((slot) => !dataSlots.includes(slot));
    if (misplaced !== undefined) {
      throw new CommandFailure(
        "usage",
        `slot ${misplaced} holds no data in this plan; ${dataSlots.join(", ")} do`,
      );
    }
    const plan = { order, lockSlots, addressChangeWanted: flags.newAddress !== undefined };
    const seen = await observeChip(opened.chip);
    const serial = chipSerialText(seen.config.serialNumber);
    const memoryFile = join(folder, "chips", `${serial}.json`);
    const memory = await station.readMemory(memoryFile, serial);
    const steps = forecastProvisioning(seen, plan, {
      memory,
      currentAddress: opened.address,
      contents: [...contents.keys()],
    });
    const refused = steps.flatMap((step) => step.refused);
    if (flags.dryRun === true) {
      output.result({ dryRun: true, chip: serial, steps, refused }, () => describeForecast(serial, steps));
    }
    if (refused.length > 0) throw new CommandFailure("chip_refused", refused.join(" "));
    if (flags.dryRun === true) return;

    const outcome = await station.provisionChip(opened, {
      plan,
      contents,
      memoryFile,
      memory,
      agreeToLock: () => flags.yesLockForever === true,
      starting: (step) => {
        if (!output.json && step.kind !== "done") output.remark(sentenceOf(step));
      },
    });
    report(outcome, serial, output);
  });
}

function report(outcome: ProvisioningOutcome, serial: string, output: Output): void {
  switch (outcome.kind) {
    case "refused":
      throw new CommandFailure("chip_refused", outcome.because.join(" "));
    case "reconnect":
      throw new CommandFailure("chip_refused", "The chip does not stay at the address it was given.");
    case "not-agreed":
      throw new CommandFailure(
        "lock_not_agreed",
        `the next lock is for ever. ${outcome.dryRun.irreversible.join(" ")} Agree with --yes-lock-forever.`,
      );
    case "done": {
      const { publicKeys, keysMadeHere } = outcome.report;
      const keys = [...publicKeys]
        .sort(([a], [b]) => a - b)
        .map(([slot, point]) => {
          const { keyId, pem } = publicKeyOfPoint(point);
          return { slot, keyId, pem, madeHere: keysMadeHere.includes(slot) };
        });
      output.result({ done: true, chip: serial, keys }, () =>
        [
          `provisioned  chip ${serial}`,
          formatTable(
            ["SLOT", "KEY", "MADE HERE"],
            keys.map(({ slot, keyId, madeHere }) => [String(slot), keyId, madeHere ? "yes" : "no"]),
          ),
        ].join("\n"),
      );
    }
  }
}

function describeForecast(serial: string, steps: readonly ForecastStep[]): string {
  const lines = steps.flatMap(({ sentence, irreversible, refused }, index) => [
    `${String(index + 1).padStart(2)}. ${sentence}`,
    ...irreversible.map((text) => `      for ever: ${text}`),
    ...refused.map((text) => `      refused: ${text}`),
  ]);
  return [`chip ${serial}: nothing was changed; this would be done`, ...lines].join("\n");
}

async function readContents(given: readonly string[]): Promise<ReadonlyMap<number, Uint8Array>> {
  const contents = new Map<number, Uint8Array>();
  for (const text of given) {
    const { file, slot } = splitKeyFlag(text);
    if (slot === undefined)
      throw new CommandFailure("usage", `--content ${text} names no slot; write it as FILE:SLOT`);
    contents.set(slot, Uint8Array.from(await readBytes(file)));
  }
  return contents;
}

function parseSlot(text: string): number {
  const slot = /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  if (slot >= 0 && slot <= 15) return slot;
  throw new CommandFailure("usage", `--lock-slot ${text} is no slot; slots are 0 to 15`);
}
