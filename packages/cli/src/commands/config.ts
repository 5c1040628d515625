/**
 * `mayfly config set`: a device's configuration, pushed at once when it is connected.
 */
import type { Command } from "commander";
import { findServer, registryOf } from "../connection.ts";
import {
  newCommand,
  newGroup,
  outputOf,
  type RegistryCommandFlags,
  required,
  wholeNumber,
  withConnection,
  withRegistry,
} from "../flags.ts";
import { type PayloadFlags, readPayload, withPayload } from "../payload-flags.ts";

interface SetFlags extends RegistryCommandFlags, PayloadFlags {
  readonly device: string;
  readonly version?: number;
}

export function addConfigCommands(program: Command): void {
  const group = newGroup("config", "device configuration");
  program.addCommand(group);
  group.addCommand(
    withPayload(withRegistry(withConnection(newCommand("set", "give a device a new configuration"))))
      .option("--device <ID>", required("device id or numId"))
      .option(
        "--version <N>",
        "set it only if this is the current version",
        wholeNumber(1, Number.MAX_SAFE_INTEGER),
      )
      .action(set),
  );
}

async function set(flags: SetFlags): Promise<void> {
  const { client, endpoints } = await findServer(flags);
  const at = { ...registryOf(flags, endpoints), device: flags.device };
  const payload = await readPayload(flags);
  const config = await client.modifyConfig(
    at,
    payload,
    flags.version === undefined ? undefined : String(flags.version),
  );
  outputOf(flags).result(
    config,
    () => `${flags.device} has configuration version ${config.version}, ${payload.length} bytes`,
  );
}
