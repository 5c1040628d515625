/**
 * The demo's folder: claimed by one demo at a time, with the chips of its devices in it.
 *
 * Without `--data` the demo takes `mayfly-data/demo`, or `demo-2`, `demo-3`, … while others run. A claim is a
 * file made exclusively, holding the process id; the claim of a process that is gone counts for nothing.
 */
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { CommandFailure } from "../failure.ts";
import { SOCKET_PATH_BYTES_MAX } from "./chip-sim.ts";
import {
  DATA_FOLDER_DEFAULT,
  DEMO_FOLDER_NAME,
  endpointsFile,
  isProcessAlive,
  readEndpointsFile,
} from "./endpoints.ts";
import { makeOwnFolder } from "./files.ts";

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

/** One device's chip: a simulated one, its image kept beside its name. */
export interface DemoChip {
  /** The device it sits in. */
  readonly id: string;
  readonly imageFile: string;
  readonly socket: string;
}

export interface DemoChips {
  readonly chips: readonly DemoChip[];
  /** Removes what was made outside the demo's folder. */
  release(): Promise<void>;
}

/** Where the chips of the demo's devices are. Sockets lie beside the images, or elsewhere where that path is too long. */
export async function placeDemoChips(folder: string, devices: number): Promise<DemoChips> {
  const ids = Array.from({ length: devices }, (_, index) => `sensor-${index + 1}`);
  const beside = (id: string): string => join(folder, "devices", id, "chip.sock");
  const fits = ids.every((id) => Buffer.byteLength(beside(id)) <= SOCKET_PATH_BYTES_MAX);
  // Made for its owner alone, as all of mkdtemp's are.
  const elsewhere = fits ? undefined : await mkdtemp(join(tmpdir(), "mayfly-"));
  return {
    chips: ids.map((id) => ({
      id,
      imageFile: join(folder, "devices", id, "chip.img"),
      socket: elsewhere === undefined ? beside(id) : join(elsewhere, id),
    })),
    async release() {
      if (elsewhere !== undefined) await rm(elsewhere, { recursive: true, force: true });
    },
  };
}
