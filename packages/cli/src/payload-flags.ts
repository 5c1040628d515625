/**
 * `--text TEXT | --file FILE | --base64 BASE64`: the bytes of a config or a command.
 *
 * Not `--data`: that flag names the data folder in every command.
 */
import type { Command } from "commander";
import { CommandFailure } from "./failure.ts";
import { readBytes } from "./host/files.ts";

export interface PayloadFlags {
  readonly text?: string;
  readonly file?: string;
  readonly base64?: string;
}

export function withPayload(command: Command): Command {
  return command
    .option("--text <TEXT>", "the payload, as UTF-8")
    .option("--file <FILE>", "file that holds the payload; - is standard input")
    .option("--base64 <BASE64>", "the payload in base64");
}

/** @throws {CommandFailure} usage unless exactly one of them is given. */
export async function readPayload(flags: PayloadFlags): Promise<Uint8Array> {
  const given = [flags.text, flags.file, flags.base64].filter((value) => value !== undefined);
  if (given.length !== 1) {
    throw new CommandFailure("usage", "give the payload once: --text TEXT, --file FILE or --base64 BASE64");
  }
  if (flags.text !== undefined) return Buffer.from(flags.text, "utf8");
  if (flags.file !== undefined) return readBytes(flags.file);
  const base64 = flags.base64 ?? "";
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(base64)) throw new CommandFailure("usage", "--base64 is not base64");
  return Buffer.from(base64, "base64");
}
