/**
 * `mayfly device instruct`: tells a device which of its keys to use, or to make and offer another.
 */
import type { InstructionOrderInput, InstructionView } from "@mayfly/core/admin";
import type { Command } from "commander";
import { findServer, registryOf } from "../connection.ts";
import { CommandFailure } from "../failure.ts";
import {
  durationSeconds,
  newCommand,
  outputOf,
  type RegistryCommandFlags,
  wholeNumber,
  withConnection,
  withRegistry,
} from "../flags.ts";

interface InstructFlags extends RegistryCommandFlags {
  readonly useSlot?: number;
  readonly useKey?: string;
  readonly offerSlot?: number;
  readonly expires: number;
  readonly campaign?: string;
}

const SLOT_MAX = 254;
const EXPIRES_DEFAULT = 3_600;

export function addDeviceInstructCommand(device: Command): void {
  device.addCommand(
    withRegistry(
      withConnection(newCommand("instruct", "tell a device which of its keys to use, or to offer another")),
    )
      .argument("ID", "device id or numId")
      .option("--use-slot <N>", "sign with the key in this slot", wholeNumber(0, SLOT_MAX))
      .option("--use-key <KEY>", "sign with the key of this id")
      .option(
        "--offer-slot <N>",
        "make a key in this slot, which must be spare, and offer it",
        wholeNumber(0, SLOT_MAX),
      )
      .option(
        "--expires <DURATION>",
        "not to be carried out later than this, such as 1h or 7d",
        durationSeconds,
        EXPIRES_DEFAULT,
      )
      .option("--campaign <NAME>", "the campaign it belongs to")
      .action(instruct),
  );
}

async function instruct(id: string, flags: InstructFlags): Promise<void> {
  const order = orderOf(flags);
  const { client, endpoints } = await findServer(flags);
  const instruction = await client.instructDevice({ ...registryOf(flags, endpoints), device: id }, order);
  outputOf(flags).result(
    instruction,
    () =>
      `instruction ${instruction.number} for ${id}: ${wantedOf(instruction)}, until ${instruction.expirationTime}`,
  );
}

function orderOf({ useSlot, useKey, offerSlot, expires, campaign }: InstructFlags): InstructionOrderInput {
  const more = { lifetimeSeconds: expires, ...(campaign === undefined ? {} : { campaign }) };
  const given = [useSlot, useKey, offerSlot].filter((one) => one !== undefined).length;
  if (given === 1) {
    if (useSlot !== undefined) return { scope: "use-key", slot: useSlot, ...more };
    if (useKey !== undefined) return { scope: "use-key", keyId: useKey, ...more };
    if (offerSlot !== undefined) return { scope: "offer-key", slot: offerSlot, ...more };
  }
  throw new CommandFailure("usage", "give one of --use-slot N, --use-key KEY and --offer-slot N");
}

function wantedOf({ scope, slot, keyId }: InstructionView): string {
  const which = slot === undefined ? `key ${keyId}` : `slot ${slot}`;
  return scope === "use-key" ? `use ${which}` : `offer a key in ${which}`;
}

/** `7: use slot 1, until …: done at …`. */
export function describeInstruction(instruction: InstructionView): string {
  const { number, outcome, outcomeTime, expirationTime, offer } = instruction;
  const came =
    outcome === undefined ? `not answered yet, until ${expirationTime}` : `${outcome} at ${outcomeTime}`;
  return `${number}: ${wantedOf(instruction)}: ${came}${offer === undefined ? "" : `; the offer: ${offer}`}`;
}
