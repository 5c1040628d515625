/**
 * `mayfly device import`: registers devices that another registry described, each by itself.
 *
 * It may be run again: a device that is there, and is the same, is left alone; one that is there and differs is told, not
 * changed. What is wrong with one device keeps no other from coming in, and every one of these is told with its line.
 */
import { AdminApiError, type AdminClient, type DeviceCreation, type RegistryPath } from "@mayfly/core/admin";
import type { Command } from "commander";
import { findServer, registryOf } from "../connection.ts";
import { type DeviceEntry, differencesOf, readDevices } from "../device-file.ts";
import { CommandFailure } from "../failure.ts";
import { newCommand, outputOf, type RegistryCommandFlags, withConnection, withRegistry } from "../flags.ts";
import { readText } from "../host/files.ts";
import { parsePublicKey } from "../host/keys.ts";

/** Bytes of the file; a device with three certificates and a large config has some 100 KiB, most have one. */
const FILE_BYTES_MAX = 256 * 1024 * 1024;
/** Devices asked about at once. */
const AT_ONCE_MAX = 8;
/** Failures told one by one; the rest is counted. */
const FAILURES_TOLD_MAX = 1_000;

interface Failure {
  readonly line: number;
  readonly id?: string;
  readonly because: string;
}

type Outcome = "created" | "there_already" | Failure;

export function addDeviceImportCommand(group: Command): void {
  group.addCommand(
    withRegistry(
      withConnection(newCommand("import", "register the devices of a file, as IoT Core described them")),
    )
      .argument("FILE", "JSON of v1 devices: an array, or one after the other; - is standard input")
      .option("--dry-run", "say what would be done, and what is wrong, and change nothing")
      .action(importDevices),
  );
}

async function importDevices(
  file: string,
  flags: RegistryCommandFlags & { readonly dryRun?: true },
): Promise<void> {
  const text = await readText(file, FILE_BYTES_MAX);
  const { client, endpoints } = await findServer(flags);
  const place = registryOf(flags, endpoints);
  // Without its registry every single device would fail.
  await client.getRegistry(place);

  const take = flags.dryRun === true ? tryDevice : createDevice;
  const counts = { created: 0, thereAlready: 0 };
  const failures: Failure[] = [];
  let failed = 0;
  const entries = readDevices(text);
  const work = async () => {
    for (const entry of entries) {
      const outcome = await takeEntry(client, place, entry, take);
      if (outcome === "created") counts.created += 1;
      else if (outcome === "there_already") counts.thereAlready += 1;
      else {
        failed += 1;
        if (failures.length < FAILURES_TOLD_MAX) failures.push(outcome);
      }
    }
  };
  // One generator: whoever is free takes the next.
  await Promise.all(Array.from({ length: AT_ONCE_MAX }, work));

  const output = outputOf(flags);
  failures.sort((a, b) => a.line - b.line);
  for (const { line, id, because } of output.json ? [] : failures) {
    output.remark(`${file}:${line}: ${id === undefined ? "" : `${id}: `}${because}`);
  }
  if (failed > failures.length) output.remark(`and ${failed - failures.length} more`);
  output.result({ ...counts, failed, failures, dryRun: flags.dryRun === true }, () => {
    const created = flags.dryRun === true ? "would be created" : "created";
    return `${counts.created} ${created}, ${counts.thereAlready} there already, ${failed} failed`;
  });
  if (failed > 0)
    throw new CommandFailure("check_failed", `${failed} devices of ${file} are not registered as it says`);
}

async function takeEntry(
  client: AdminClient,
  place: RegistryPath,
  entry: DeviceEntry,
  take: typeof createDevice,
): Promise<Outcome> {
  const { line } = entry;
  if ("trouble" in entry) return { line, because: entry.trouble };
  const { device } = entry;
  try {
    for (const [index, { publicKey }] of (device.credentials ?? []).entries()) {
      parsePublicKey(publicKey.key, `credentials[${index}]`);
    }
    const outcome = await take(client, place, device);
    return typeof outcome === "string" ? outcome : { line, id: device.id, because: differs(outcome) };
  } catch (error) {
    // A server that is gone, or does not let us in, is no fault of this device.
    if (error instanceof AdminApiError && error.status !== "UNAUTHENTICATED") {
      return { line, id: device.id, because: error.message };
    }
    if (error instanceof CommandFailure && error.code === "key_unusable") {
      return { line, id: device.id, because: error.message };
    }
    throw error;
  }
}

function differs(names: readonly string[]): string {
  return `it is there already, with other ${names.join(", ")}`;
}

/** @returns what differs, where it is there already and is not the same. */
async function createDevice(
  client: AdminClient,
  place: RegistryPath,
  device: DeviceCreation,
): Promise<"created" | "there_already" | readonly string[]> {
  try {
    await client.createDevice(place, device);
    return "created";
  } catch (error) {
    if (!(error instanceof AdminApiError && error.status === "ALREADY_EXISTS")) throw error;
    const present = await findSame(client, place, device);
    // Not by this name: what exists already is its key, elsewhere.
    if (present === undefined) throw error;
    return present;
  }
}

/** As {@link createDevice}, and changes nothing. */
async function tryDevice(
  client: AdminClient,
  place: RegistryPath,
  device: DeviceCreation,
): Promise<"created" | "there_already" | readonly string[]> {
  return (await findSame(client, place, device)) ?? "created";
}

async function findSame(
  client: AdminClient,
  place: RegistryPath,
  device: DeviceCreation,
): Promise<"there_already" | readonly string[] | undefined> {
  try {
    const differences = differencesOf(await client.getDevice({ ...place, device: device.id }), device);
    return differences.length === 0 ? "there_already" : differences;
  } catch (error) {
    if (error instanceof AdminApiError && error.status === "NOT_FOUND") return undefined;
    throw error;
  }
}
