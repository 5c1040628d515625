/**
 * `mayfly device log`: what a device did lately, as far as its log level asks for it, and what it does now.
 */
import type { DeviceLogEntry } from "@mayfly/core/admin";
import type { Command } from "commander";
import { findServer, registryOf } from "../connection.ts";
import { CommandFailure } from "../failure.ts";
import {
  newCommand,
  oneOf,
  outputOf,
  type RegistryCommandFlags,
  wholeNumber,
  withConnection,
  withRegistry,
} from "../flags.ts";
import { stopSignal } from "../host/signals.ts";
import { logLevelWords } from "../notification-flags.ts";
import { formatPayload } from "../output.ts";

/** As many as the server keeps of a device. */
const ENTRIES_MAX = 100;

export function addDeviceLogCommands(device: Command): void {
  device.addCommand(
    withRegistry(withConnection(newCommand("log", "show what a device did, as its log level asks for it")))
      .argument("ID", "device id or numId")
      .option("--limit <N>", "entries shown at most", wholeNumber(1, ENTRIES_MAX), ENTRIES_MAX)
      .option("--follow", "go on until interrupted")
      .action(show),
  );
  device.addCommand(
    withRegistry(withConnection(newCommand("log-level", "set what of a device's doings is logged")))
      .argument("ID", "device id or numId")
      .argument("LEVEL", "NONE, ERROR, INFO, DEBUG, or REGISTRY for its registry's", (text) =>
        oneOf([...logLevelWords, "REGISTRY"] as const)(text),
      )
      .action(setLevel),
  );
}

interface LogFlags extends RegistryCommandFlags {
  readonly limit: number;
  readonly follow?: true;
}

async function show(id: string, flags: LogFlags): Promise<void> {
  const { client, endpoints, transport } = await findServer(flags);
  const at = { ...registryOf(flags, endpoints), device: id };
  const output = outputOf(flags);
  const stop = stopSignal();
  stop.addEventListener("abort", () => transport.close());
  const print = (entry: DeviceLogEntry) => output.result(entry, () => formatLogEntry(entry));
  try {
    for (const entry of await client.deviceLog(at, { limit: flags.limit })) print(entry);
    if (flags.follow !== true) return;
    for await (const line of client.tailDeviceLog(at)) {
      if (line.kind === "entry") print(line.entry);
      else output.remark(`mayfly: ${line.count} entries were not shown, this terminal was too slow`);
    }
  } catch (error) {
    if (!stop.aborted) throw error;
  } finally {
    transport.close();
  }
  if (!stop.aborted)
    throw new CommandFailure("server_unreachable", "the server ended the stream; it may be stopping");
}

async function setLevel(
  id: string,
  level: (typeof logLevelWords)[number] | "REGISTRY",
  flags: RegistryCommandFlags,
): Promise<void> {
  const { client, endpoints } = await findServer(flags);
  const at = { ...registryOf(flags, endpoints), device: id };
  const logLevel = level === "REGISTRY" ? "LOG_LEVEL_UNSPECIFIED" : level;
  const device = await client.updateDevice(at, { logLevel }, ["logLevel"]);
  outputOf(flags).result(device, () =>
    level === "REGISTRY" ? `${id} is logged as its registry says` : `${id} is logged at ${level}`,
  );
}

/** One line: when, how grave, what, and what came of it. A topic is the device's text. */
export function formatLogEntry({ timestamp, severity, jsonPayload }: DeviceLogEntry): string {
  const { eventType, protocol, status } = jsonPayload;
  const { publishFromDeviceTopicType: from, publishToDeviceTopicType: to } = jsonPayload;
  const { mqttTopic, disconnectType, gateway } = jsonPayload;
  return [
    `${timestamp}  ${severity.padEnd(5)}  ${protocol} ${eventType}`,
    ...(from === undefined ? [] : [`from device ${from}`]),
    ...(to === undefined ? [] : [`to device ${to}`]),
    ...(mqttTopic === undefined ? [] : [formatPayload(Buffer.from(mqttTopic))]),
    ...(disconnectType === undefined ? [] : [`by ${disconnectType}`]),
    ...(gateway === undefined ? [] : [`through ${gateway.id}`]),
    ...(status.code === 0 ? [] : [`${status.description}: ${status.message ?? ""}`]),
  ].join("  ");
}
