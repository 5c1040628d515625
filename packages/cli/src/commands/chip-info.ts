/**
 * `mayfly chip info`, `random`, `counter`: what a chip says of itself, and its two small services.
 */
import type { Command } from "commander";
import { type ChipFlags, withChip } from "../chip-flags.ts";
import { newCommand, outputOf, wholeNumber } from "../flags.ts";
import { readSlotKey, type SlotKey, withOpenChip } from "../host/chip.ts";
import { formatFields, formatTable } from "../output.ts";

interface InfoFlags extends ChipFlags {
  readonly publicKey?: number;
}

interface CounterFlags extends ChipFlags {
  readonly increment?: true;
}

export function addChipInfoCommands(group: Command): void {
  group.addCommand(
    withChip(newCommand("info", "say which chip it is, what is locked, and which keys it holds"))
      .option(
        "--public-key <SLOT>",
        "print this slot's public key in PEM and nothing else",
        wholeNumber(0, 15),
      )
      .action(info),
  );
  group.addCommand(
    withChip(
      newCommand("random", "print 32 bytes of the chip's random number generator, hexadecimal"),
    ).action(random),
  );
  group.addCommand(
    withChip(newCommand("counter", "print a monotonic counter of the chip"))
      .argument("<ID>", "0 or 1", wholeNumber(0, 1))
      .option("--increment", "add one first: for ever, no counter goes back")
      .action(counter),
  );
}

async function info(flags: InfoFlags): Promise<void> {
  const output = outputOf(flags);
  const slot = flags.publicKey;
  if (slot !== undefined) {
    const key = await withOpenChip(flags, ({ chip }) => readSlotKey(chip, slot));
    output.result(key, () => key.pem.trimEnd());
    return;
  }
  const { chipSerialText, isConfigLocked, isDataLocked, isSlotLocked, observeChip } = await import(
    "@mayfly/secure-element/provisioning"
  );
  const found = await withOpenChip(flags, async ({ chip, address }) => {
    const { config, keysPresent } = await observeChip(chip);
    const keys: SlotKey[] = [];
    for (const present of keysPresent ?? []) {
      // A slot may keep its public key to itself.
      if (config.slots[present]?.key.pubInfo === true) keys.push(await readSlotKey(chip, present));
    }
    return { address, config, keys, traits: await chip.traits() };
  });
  const { config, keys, traits } = found;
  const value = {
    serialNumber: chipSerialText(config.serialNumber),
    part: traits.part,
    revision: Buffer.from(config.revision).toString("hex"),
    address: `0x${found.address.toString(16)}`,
    clockDivider: traits.clockDivider,
    configLocked: isConfigLocked(config),
    dataLocked: isDataLocked(config),
    keys: keys.map((key) => ({ ...key, locked: isSlotLocked(config, key.slot) })),
  };
  output.result(value, () =>
    [
      formatFields([
        ["chip serial number", value.serialNumber],
        ["part", `ATECC${value.part} (revision ${value.revision})`],
        ["I2C address", value.address],
        ["clock", value.clockDivider],
        ["configuration", value.configLocked ? "locked" : "open"],
        ["data", value.dataLocked ? "locked" : "open"],
      ]),
      ...(keys.length === 0
        ? ["no keys to be seen"]
        : [
            formatTable(
              ["SLOT", "KEY", "LOCKED"],
              value.keys.map((key) => [String(key.slot), key.keyId, key.locked ? "yes" : "no"]),
            ),
          ]),
    ].join("\n"),
  );
}

async function random(flags: ChipFlags): Promise<void> {
  const output = outputOf(flags);
  const bytes = await withOpenChip(flags, ({ chip }) => chip.random());
  const text = Buffer.from(bytes).toString("hex");
  output.result({ random: text }, () => text);
}

async function counter(id: number, flags: CounterFlags): Promise<void> {
  const output = outputOf(flags);
  const which = id === 0 ? 0 : 1;
  const value = await withOpenChip(flags, ({ chip }) =>
    flags.increment === true ? chip.incrementCounter(which) : chip.readCounter(which),
  );
  output.result({ counter: which, value }, () => String(value));
}
