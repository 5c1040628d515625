/**
 * The data folder: where one bridge keeps everything, readable by its owner only.
 *
 * `endpoints.json` tells programs on this machine where the bridge listens. It is written once everything is
 * ready and removed on an orderly end, so a file whose pid is gone means the bridge was killed.
 */
import { chmod, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** What `endpoints.json` says. Paths are absolute. */
export interface Endpoints {
  /** `host:port` of the MQTT bridge, TLS. */
  readonly mqtts: string;
  /** Its further ports, in the order they were asked for. */
  readonly mqttsFurther: readonly string[];
  /** Base URL of the device HTTP bridge. */
  readonly deviceHttps: string;
  /** `host:port` of signed time, UDP. */
  readonly time: string;
  /** Base URL of the admin API. */
  readonly admin: string;
  /** File with the roots to trust, PEM. */
  readonly ca: string;
  /** File with the admin token. */
  readonly adminToken: string;
  readonly project: string;
  readonly location: string;
  /** The first registry there is, "" when there is none yet. */
  readonly registry: string;
  readonly pid: number;
}

export interface DataFolder {
  readonly root: string;
  readonly registryFile: string;
  readonly eventsFolder: string;
  readonly identityFolder: string;
  readonly caFile: string;
  readonly adminTokenFile: string;
  /** The online key of signed time and its delegation; an operator puts it there. */
  readonly timeKeyFile: string;
  readonly endpointsFile: string;
}

/** Makes the folder where it is missing and closes it to everyone else. */
export async function openDataFolder(root: string): Promise<DataFolder> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  await chmod(root, 0o700);
  return dataFolderPaths(root);
}

export function dataFolderPaths(root: string): DataFolder {
  return {
    root,
    registryFile: join(root, "registry.db"),
    eventsFolder: join(root, "events"),
    identityFolder: join(root, "identity"),
    caFile: join(root, "ca.pem"),
    adminTokenFile: join(root, "admin-token"),
    timeKeyFile: join(root, "time-key.pem"),
    endpointsFile: join(root, "endpoints.json"),
  };
}

export async function writeEndpoints(folder: DataFolder, endpoints: Endpoints): Promise<void> {
  await writeOwnerOnly(folder.endpointsFile, `${JSON.stringify(endpoints, null, 2)}\n`);
}

export async function removeEndpoints(folder: DataFolder): Promise<void> {
  await rm(folder.endpointsFile, { force: true });
}

/** Whole or not at all, mode 0600. */
export async function writeOwnerOnly(file: string, text: string): Promise<void> {
  const draft = `${file}.${process.pid}.new`;
  await writeFile(draft, text, { mode: 0o600, flush: true });
  await rename(draft, file);
}
