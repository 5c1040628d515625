/**
 * `mayfly command send`: one command to a connected device.
 */
import type { Command } from "commander";
import { findServer, registryOf } from "../connection.ts";
import {
  newCommand,
  newGroup,
  outputOf,
  type RegistryCommandFlags,
  required,
  withConnection,
  withRegistry,
} from "../flags.ts";
import { type PayloadFlags, readPayload, withPayload } from "../payload-flags.ts";

interface SendFlags extends RegistryCommandFlags, PayloadFlags {
  readonly device: string;
  readonly subfolder?: string;
}

export function addCommandCommands(program: Command): void {
  const group = newGroup("command", "commands to connected devices");
  program.addCommand(group);
  group.addCommand(
    withPayload(
      withRegistry(withConnection(newCommand("send", "send a command and wait for its acknowledgement"))),
    )
      .option("--device <ID>", required("device id or numId"))
      .option("--subfolder <SUBFOLDER>", "part of the topic after commands/")
      .action(send),
  );
}

async function send(flags: SendFlags): Promise<void> {
  const { client, endpoints } = await findServer(flags);
  const at = { ...registryOf(flags, endpoints), device: flags.device };
  const payload = await readPayload(flags);
  await client.sendCommand(at, payload, flags.subfolder);
  outputOf(flags).result(
    { delivered: true, bytes: payload.length },
    () => `${flags.device} has the command, ${payload.length} bytes`,
  );
}
