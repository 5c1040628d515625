/**
 * Flags several commands share, and the readers of their values. One spelling, one help text, one rule each.
 */
import { Command, InvalidArgumentError, Option } from "commander";
import type { ConnectionFlags, PlaceFlags } from "./connection.ts";
import { CommandFailure } from "./failure.ts";
import { terminal } from "./host/terminal.ts";
import { createOutput, type Output } from "./output.ts";

/** A command with `--json`, as every command has it. */
export function newCommand(name: string, summary: string): Command {
  return new Command(name)
    .description(summary)
    .option("--json", "print JSON, one value a line, for programs")
    .hook("preAction", (_, command) => checkRequired(command));
}

/**
 * Help text of a flag that must be given. Commander would complain of a missing flag before an unknown one,
 * and so never tell who mistyped it what it is called.
 */
export function required(text: string): string {
  return text + requiredMark;
}

const requiredMark = " (required)";

function checkRequired(command: Command): void {
  for (const option of command.options) {
    if (!option.description.endsWith(requiredMark)) continue;
    if (command.getOptionValue(option.attributeName()) !== undefined) continue;
    throw new CommandFailure("usage", `${option.flags} is missing; see mayfly ${pathOf(command)} --help`);
  }
}

/** `token mint` */
function pathOf(command: Command): string {
  const { parent } = command;
  return parent?.parent ? `${pathOf(parent)} ${command.name()}` : command.name();
}

/** A command that only holds others: `mayfly registry`. */
export function newGroup(name: string, summary: string): Command {
  return new Command(name).description(summary).usage("COMMAND [flags]");
}

/** Adds what says which server is meant. */
export function withConnection(command: Command): Command {
  return command
    .option("--url <URL>", "admin URL of the server (or MAYFLY_URL)")
    .option("--token <TOKEN>", "admin token, or @FILE that holds it (or MAYFLY_TOKEN)")
    .option("--ca <FILE>", "roots the server's certificate must come from, PEM (or MAYFLY_CA)")
    .option("--data <DIR>", "data folder of a server on this machine (or MAYFLY_DATA; default mayfly-data)");
}

/** Adds project and location. */
export function withPlace(command: Command): Command {
  return command
    .option("--project <PROJECT>", "project (default: the server's)")
    .option("--location <LOCATION>", "location (default: the server's)");
}

/** Adds project, location and registry. */
export function withRegistry(command: Command): Command {
  return withPlace(command).option(
    "--registry <REGISTRY>",
    "registry: its id, or projects/P/locations/L/registries/R (default: the server's)",
  );
}

export type RegistryCommandFlags = ConnectionFlags & PlaceFlags & { readonly json?: true };

/** The output a command's flags ask for. */
export function outputOf(flags: { readonly json?: true }): Output {
  return createOutput(terminal, { json: flags.json === true });
}

/** `--ports`, of `serve` and `demo`. */
export function portsOption(standard: "auto" | "default"): Option {
  return new Option("--ports <PORTS>", "auto: any free ports; default: 8883 and its fellows")
    .choices(["auto", "default"])
    .default(standard);
}

/** @returns Reader of a whole number from `min` to `max`. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

/** @returns Reader of seconds from `min` to `max`, fractions allowed. */
export function seconds(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a number of seconds from ${min} to ${max}.`);
  };
}

/** @returns Reader of a number from `min` to `max`, with sign and fractions. */
export function decimal(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^-?\d{1,9}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`);
  };
}

/** Reads an instant of RFC 3339 in UTC, `2026-01-31T12:00:00Z`, as seconds since 1970-01-01T00:00:00Z. */
export function instantSeconds(text: string): number {
  const isInstant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$/.test(text);
  const millis = isInstant ? Date.parse(text) : Number.NaN;
  // Date.parse takes a 30th of February for the 1st of March.
  if (Number.isFinite(millis) && new Date(millis).toISOString().slice(0, 19) === text.slice(0, 19))
    return millis / 1000;
  throw new InvalidArgumentError("It must be an instant in UTC, such as 2026-01-31T12:00:00Z.");
}

/** Reads `90`, `90s`, `15m`, `1h`, `7d` as seconds: 1 or more. */
export function durationSeconds(text: string): number {
  const match = /^(\d{1,9})([smhd]?)$/.exec(text);
  const unit = { "": 1, s: 1, m: 60, h: 3_600, d: 86_400 }[match?.[2] ?? ""] ?? 1;
  const value = Number(match?.[1] ?? Number.NaN) * unit;
  if (value >= 1) return value;
  throw new InvalidArgumentError("It must be a duration of 1 s or more, such as 90s, 15m, 1h or 7d.");
}

/** @returns Reader of one word out of a list. */
export function oneOf<T extends string>(words: readonly T[]): (text: string) => T {
  return (text) => {
    const word = words.find((candidate) => candidate === text);
    if (word !== undefined) return word;
    throw new InvalidArgumentError(`It must be one of: ${words.join(", ")}.`);
  };
}

/** Collects a flag that may be given several times; at most 64 times. */
export function repeated(text: string, earlier: readonly string[] = []): readonly string[] {
  if (earlier.length >= REPEATS_MAX)
    throw new InvalidArgumentError(`It may be given ${REPEATS_MAX} times at most.`);
  return [...earlier, text];
}

/** Where a server is to listen; port 0 is any free one. */
export interface ListenAddress {
  readonly host?: string;
  readonly port: number;
}

/** Collects addresses to listen on, `443`, `192.0.2.1:443`, `[::]:443`: at most 8. */
export function repeatedListenAddress(
  text: string,
  earlier: readonly ListenAddress[] = [],
): readonly ListenAddress[] {
  if (earlier.length >= LISTEN_ADDRESSES_MAX)
    throw new InvalidArgumentError(`It may be given ${LISTEN_ADDRESSES_MAX} times at most.`);
  const match = /^(?:(?:\[([0-9A-Fa-f:.%]+)\]|([^:[\]\s]+)):)?(\d{1,5})$/.exec(text);
  if (match === null) throw new InvalidArgumentError("It must be PORT, HOST:PORT or [ADDRESS]:PORT.");
  const host = match[1] ?? match[2];
  const port = wholeNumber(0, 65_535)(match[3] ?? "");
  return [...earlier, host === undefined ? { port } : { host, port }];
}

/** Collects slots, as {@link repeated} does text. */
export function repeatedSlot(text: string, earlier: readonly number[] = []): readonly number[] {
  if (earlier.length >= SPARE_SLOTS_MAX)
    throw new InvalidArgumentError(`It may be given ${SPARE_SLOTS_MAX} times at most.`);
  return [...earlier, wholeNumber(0, 254)(text)];
}

/** A device has three keys at most, one of them in use. */
const SPARE_SLOTS_MAX = 2;
const REPEATS_MAX = 64;
/** As many as the server takes (its `mqttListenMax`). */
const LISTEN_ADDRESSES_MAX = 8;
