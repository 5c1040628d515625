/**
 * `mayfly presence`: who is online, then each change as it is told, until interrupted.
 */
import type { Command } from "commander";
import { findServer, registryOf } from "../connection.ts";
import { CommandFailure } from "../failure.ts";
import { newCommand, outputOf, type RegistryCommandFlags, withConnection, withRegistry } from "../flags.ts";
import { stopSignal } from "../host/signals.ts";
import { describePresenceLine } from "../presence-words.ts";

export function addPresenceCommand(program: Command): void {
  program.addCommand(
    withRegistry(
      withConnection(
        newCommand("presence", "print which devices are online, then each change, until interrupted"),
      ),
    )
      .option("--after <POSITION>", "go on behind a position printed by an earlier one with --json")
      .action(watch),
  );
}

async function watch(flags: RegistryCommandFlags & { readonly after?: string }): Promise<void> {
  const { client, endpoints, transport } = await findServer(flags);
  const output = outputOf(flags);
  const stop = stopSignal();
  stop.addEventListener("abort", () => transport.close());
  try {
    for await (const line of client.watchPresence(registryOf(flags, endpoints), flags.after)) {
      output.result(line, () => describePresenceLine(line) ?? "");
    }
  } catch (error) {
    if (!stop.aborted) throw error;
  } finally {
    transport.close();
  }
  if (!stop.aborted)
    throw new CommandFailure("server_unreachable", "the server ended the stream; it may be stopping");
}
