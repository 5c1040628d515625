/**
 * The demo's folder: claimed by one demo at a time, with the keys of its devices in it.
 *
 * Without `--data` the demo takes `mayfly-data/demo`, or `demo-2`, `demo-3`, … while others run. A claim is a
 * file made exclusively, holding the process id; the claim of a process that is gone counts for nothing.
 */
import { open, readFile, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { DemoDevice, DemoKey } from "../demo/prepare.ts";
import { CommandFailure } from "../failure.ts";
import {
  DATA_FOLDER_DEFAULT,
  DEMO_FOLDER_NAME,
  endpointsFile,
  isProcessAlive,
  readEndpointsFile,
} from "./endpoints.ts";
import { makeOwnFolder, readTextIfThere, writeSecret } from "./files.ts";
import { generateDeviceKey, publicPemOf } from "./keys.ts";

/** Demos that may run beside each other without `--data`. */
export const DEMOS_MAX = 9;

export interface ClaimedFolder {
  readonly path: string;
  release(): Promise<void>;
}

/** @throws {CommandFailure} in_use */
export async function claimDemoFolder(wanted: string | undefined): Promise<ClaimedFolder> {
  if (wanted !== undefined) {
    const claimed = await claim(resolve(wanted));
    if (claimed === undefined) {
      throw new CommandFailure(
        "in_use",
        `${wanted} is in use by another demo or server; name another folder with --data`,
      );
    }
    return claimed;
  }
  for (let number = 1; number <= DEMOS_MAX; number++) {
    const name = number === 1 ? DEMO_FOLDER_NAME : `${DEMO_FOLDER_NAME}-${number}`;
    const claimed = await claim(resolve(DATA_FOLDER_DEFAULT, name));
    if (claimed !== undefined) return claimed;
  }
  throw new CommandFailure(
    "in_use",
    `${DEMOS_MAX} demos are running already; name a folder with --data for one more`,
  );
}

async function claim(path: string): Promise<ClaimedFolder | undefined> {
  await makeOwnFolder(path);
  const endpoints = await readEndpointsFile(endpointsFile(path));
  if (endpoints !== undefined && isProcessAlive(endpoints.pid)) return undefined;
  const file = join(path, "demo.pid");
  // Twice: once to find the claim of a process that is gone, once to take its place.
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const handle = await open(file, "wx", 0o600);
      await handle.writeFile(`${process.pid}\n`);
      await handle.close();
      return { path, release: () => rm(file, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
        throw new CommandFailure("file_unwritable", `cannot use ${path} as a data folder`, { cause: error });
      }
      const pid = Number(await readFile(file, "utf8").catch(() => ""));
      if (Number.isInteger(pid) && pid > 0 && isProcessAlive(pid)) return undefined;
      await rm(file, { force: true });
    }
  }
  return undefined;
}

/** Keys of the demo's devices, one file a slot; made where they are missing. */
export async function openDemoDevices(
  folder: string,
  options: { readonly devices: number; readonly keysEach: number },
): Promise<readonly DemoDevice[]> {
  const devices: DemoDevice[] = [];
  for (let number = 1; number <= options.devices; number++) {
    const id = `sensor-${number}`;
    const keys: DemoKey[] = [];
    for (let slot = 0; slot < options.keysEach; slot++) {
      keys.push(await openKey(join(folder, "devices", id, `slot-${slot}.key.pem`), slot));
    }
    devices.push({ id, keys });
  }
  return devices;
}

async function openKey(privateFile: string, slot: number): Promise<DemoKey> {
  const kept = await readTextIfThere(privateFile);
  if (kept !== undefined) return { slot, privateFile, publicPem: publicPemOf(kept) };
  const { privatePem, publicPem } = generateDeviceKey();
  await writeSecret(privateFile, privatePem);
  return { slot, privateFile, publicPem };
}
