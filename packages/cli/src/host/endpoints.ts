/**
 * `endpoints.json`: where a running server is to be found, as `serve` and `demo` leave it in their data folder.
 */
import { join, resolve } from "node:path";
import { CommandFailure } from "../failure.ts";
import { readTextIfThere, writeSecret } from "./files.ts";

/** What `<data>/endpoints.json` holds. */
export interface Endpoints {
  /** `host:port` of MQTT over TLS. */
  readonly mqtts: string;
  readonly deviceHttps: string;
  /** `host:port` of signed time, UDP; a server older than that does not tell it. */
  readonly time?: string;
  readonly admin: string;
  /** Path of the PEM file with the roots to trust. */
  readonly ca: string;
  /** Path of the file with an admin token. */
  readonly adminToken: string;
  readonly project: string;
  readonly location: string;
  /** "" where the server has no registry yet. */
  readonly registry: string;
  readonly pid: number;
}

/** The folder `serve` keeps its data in unless told otherwise. */
export const DATA_FOLDER_DEFAULT = "mayfly-data";
/** The folder of the demo, in it. */
export const DEMO_FOLDER_NAME = "demo";

export function endpointsFile(folder: string): string {
  return join(resolve(folder), "endpoints.json");
}

/** Reads one endpoints file. @throws {CommandFailure} not_configured when it is not what it should be. */
export async function readEndpointsFile(file: string): Promise<Endpoints | undefined> {
  const text = await readTextIfThere(file);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (!isEndpoints(value)) {
    throw new CommandFailure(
      "not_configured",
      `${file} is not an endpoints file; start the server again to renew it`,
    );
  }
  return value;
}

/**
 * Of `mayfly-data` and the demo's folder below it the first with a running server, else the first with the
 * endpoints of one that was killed; undefined for neither.
 */
export async function findEndpointsFolder(): Promise<string | undefined> {
  let left: string | undefined;
  for (const folder of [DATA_FOLDER_DEFAULT, join(DATA_FOLDER_DEFAULT, DEMO_FOLDER_NAME)]) {
    const endpoints = await readEndpointsFile(endpointsFile(folder));
    if (endpoints === undefined) continue;
    if (isProcessAlive(endpoints.pid)) return folder;
    left ??= folder;
  }
  return left;
}

/** The endpoints in the folder named, else in the one {@link findEndpointsFolder} finds. */
export async function findEndpoints(folder: string | undefined): Promise<Endpoints | undefined> {
  const found = folder ?? (await findEndpointsFolder());
  return found === undefined ? undefined : readEndpointsFile(endpointsFile(found));
}

export async function writeEndpoints(folder: string, endpoints: Endpoints): Promise<void> {
  await writeSecret(endpointsFile(folder), `${JSON.stringify(endpoints, undefined, 2)}\n`);
}

/** Whether a process with this id is alive (it may be another user's). */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function isEndpoints(value: unknown): value is Endpoints {
  if (typeof value !== "object" || value === null) return false;
  const fields = value as Record<string, unknown>;
  const texts = ["mqtts", "deviceHttps", "admin", "ca", "adminToken", "project", "location", "registry"];
  return texts.every((name) => typeof fields[name] === "string") && typeof fields["pid"] === "number";
}
