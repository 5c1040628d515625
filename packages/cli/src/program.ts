/**
 * The `mayfly` command as a whole: its groups, and what becomes of an error.
 *
 * Exit codes: 0 done, 1 failed, 2 asked for in a way that cannot be understood. An error is one sentence on
 * stderr, with `--json` the object `{"error":{"code","message"}}`.
 */
import { Command, CommanderError } from "commander";
import { addAdminTokenCommands } from "./commands/admin-token.ts";
import { addAgentCommand } from "./commands/agent.ts";
import { addChipCommands } from "./commands/chip.ts";
import { addCommandCommands } from "./commands/command.ts";
import { addConfigCommands } from "./commands/config.ts";
import { addDemoCommand } from "./commands/demo.ts";
import { addDeviceCommands } from "./commands/device.ts";
import { addDeviceAuthLogCommand } from "./commands/device-auth-log.ts";
import { addDeviceDeleteCommand } from "./commands/device-delete.ts";
import { addDeviceInstructCommand } from "./commands/device-instruct.ts";
import { addDeviceKeyCommands } from "./commands/device-keys.ts";
import { addDoctorCommand } from "./commands/doctor.ts";
import { addGatewayCommands } from "./commands/gateway.ts";
import { addPullCommands } from "./commands/pull.ts";
import { addRegistryCommands } from "./commands/registry.ts";
import { addServeCommand } from "./commands/serve.ts";
import { addTailCommand } from "./commands/tail.ts";
import { addTimeKeyCommands } from "./commands/time-key.ts";
import { addTokenCommands } from "./commands/token.ts";
import { describeFailure, exitCodes } from "./failure.ts";
import { terminal } from "./host/terminal.ts";

export function createProgram(version: string): Command {
  const program = new Command("mayfly")
    .description(
      "Short-lived credentials for long-lived devices: a self-hosted replacement of Cloud IoT Core.",
    )
    .version(version, "--version", "print the version")
    .helpOption("-h, --help", "show help")
    .usage("COMMAND [flags]")
    // A command's own --version is not the program's.
    .enablePositionalOptions();
  addDemoCommand(program);
  addServeCommand(program);
  addRegistryCommands(program);
  const device = addDeviceCommands(program);
  addDeviceAuthLogCommand(device);
  addDeviceKeyCommands(device);
  addDeviceInstructCommand(device);
  addDeviceDeleteCommand(device);
  addGatewayCommands(program);
  addConfigCommands(program);
  addCommandCommands(program);
  addTokenCommands(program);
  addPullCommands(program);
  addTailCommand(program);
  addAgentCommand(program);
  addChipCommands(program);
  addAdminTokenCommands(program);
  addTimeKeyCommands(program);
  addDoctorCommand(program);
  for (const command of allCommands(program)) {
    // Errors are printed by runProgram, in the form the caller asked for.
    command.exitOverride().configureOutput({ outputError: () => {} });
  }
  return program;
}

/** Runs one command line. @returns The exit code. */
export async function runProgram(program: Command, args: readonly string[]): Promise<number> {
  const asJson = args.includes("--json");
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version end a parse by throwing too.
      if (error.exitCode === 0) return exitCodes.ok;
      if (error.code === "commander.help") return exitCodes.usage;
      report({ code: "usage", message: sentenceOf(error.message) }, asJson);
      return exitCodes.usage;
    }
    const failure = describeFailure(error);
    report(failure, asJson);
    return failure.exitCode;
  }
}

function report(failure: { readonly code: string; readonly message: string }, asJson: boolean): void {
  const { code, message } = failure;
  terminal.writeError(asJson ? `${JSON.stringify({ error: { code, message } })}\n` : `mayfly: ${message}\n`);
}

/** commander's `error: unknown option '--regstry'\n(Did you mean --registry?)` as one line. */
function sentenceOf(message: string): string {
  return message.replace(/^error: /, "").replaceAll(/\s*\n\s*/g, " ");
}

function allCommands(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(allCommands)];
}
