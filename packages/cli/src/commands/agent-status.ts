/**
 * `mayfly agent status`: how the agent service on this machine fares, in sentences.
 */
import { dirname, resolve } from "node:path";
import type { Command } from "commander";
import { parseAgentServiceSettings } from "../agent-service/settings.ts";
import { describeStatus, type ServiceStatus } from "../agent-service/status-words.ts";
import { CommandFailure } from "../failure.ts";
import { newCommand, outputOf } from "../flags.ts";
import { readText } from "../host/files.ts";
import { getOverSocket } from "../host/local-http.ts";

interface StatusFlags {
  readonly json?: true;
  readonly config?: string;
  readonly socket?: string;
}

export function addAgentStatusCommand(agent: Command): void {
  agent.addCommand(
    newCommand("status", "say how the agent service on this machine fares")
      .option("--config <FILE>", "settings of the service: where its socket is")
      .option("--socket <PATH>", "the socket itself")
      .action(showStatus),
  );
}

async function showStatus(_: unknown, command: Command): Promise<void> {
  const flags: StatusFlags = command.optsWithGlobals();
  const text = await getOverSocket(await socketOf(flags), "/v1/status");
  const status = JSON.parse(text) as ServiceStatus;
  outputOf(flags).result(status, () => describeStatus(status).join("\n"));
}

async function socketOf({ config, socket }: StatusFlags): Promise<string> {
  if (socket !== undefined) return socket;
  if (config === undefined) {
    throw new CommandFailure("usage", "no agent is named; give --config FILE or --socket PATH");
  }
  return parseAgentServiceSettings(await readText(config), dirname(resolve(config))).api.socket;
}
