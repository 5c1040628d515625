/**
 * `mayfly tail`: messages as they arrive, for people who watch. Keeps no place and loses what it cannot show.
 */
import type { Command } from "commander";
import { findServer, registryOf } from "../connection.ts";
import { CommandFailure } from "../failure.ts";
import { newCommand, outputOf, type RegistryCommandFlags, withConnection, withRegistry } from "../flags.ts";
import { stopSignal } from "../host/signals.ts";
import { formatMessage } from "../message-line.ts";
import { fullTopic } from "../notification-flags.ts";

export function addTailCommand(program: Command): void {
  program.addCommand(
    withRegistry(withConnection(newCommand("tail", "print messages as they arrive, until interrupted")))
      .option("--topic <TOPIC>", "only messages the registry's notification configs send there")
      .action(tail),
  );
}

async function tail(flags: RegistryCommandFlags & { readonly topic?: string }): Promise<void> {
  const { client, endpoints, transport } = await findServer(flags);
  const output = outputOf(flags);
  const stop = stopSignal();
  stop.addEventListener("abort", () => transport.close());
  try {
    const registry = registryOf(flags, endpoints);
    const only = flags.topic === undefined ? {} : { topic: fullTopic(flags.topic, registry.project) };
    for await (const line of client.tail(registry, only)) {
      if (line.kind === "message") output.result(line.message, () => formatMessage(line.message));
      else output.remark(`mayfly: ${line.count} messages were not shown, this terminal was too slow`);
    }
  } catch (error) {
    if (!stop.aborted) throw error;
  } finally {
    transport.close();
  }
  if (!stop.aborted)
    throw new CommandFailure("server_unreachable", "the server ended the tail; it may be stopping");
}
