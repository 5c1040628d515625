/** What the servers of a benchmark share: one identity and one set of devices for the whole run, in the folder given by `BENCH_FOLDER`. */
import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Server } from "node:tls";
import { openServerIdentity, type ServerIdentity } from "@mayfly/server/node";

export interface BenchDevice {
  readonly id: string;
  readonly clientIdentifier: string;
  readonly publicPem: string;
  readonly keyPem: string;
}

export function benchFolder(): string {
  const folder = process.env["BENCH_FOLDER"];
  if (folder === undefined) throw new Error("BENCH_FOLDER is not set: start this through bench/run.ts");
  return folder;
}

export function benchIdentity(): Promise<ServerIdentity> {
  const folder = benchFolder();
  return openServerIdentity({
    folder: join(folder, "identity"),
    caFile: join(folder, "ca.pem"),
    hostNames: ["localhost"],
    nowMs: Date.now(),
  });
}

export async function benchDevices(): Promise<readonly BenchDevice[]> {
  return JSON.parse(await readFile(join(benchFolder(), "devices.json"), "utf8")) as BenchDevice[];
}

/** Tells the runner on stdout where the server listens. */
export function ready(server: Server, caFile: string, devices: readonly BenchDevice[]): void {
  const { port } = server.address() as AddressInfo;
  const target = {
    port,
    caFile,
    project: "bench",
    devices: devices.map(({ id, clientIdentifier, keyPem }) => ({ id, clientIdentifier, keyPem })),
  };
  process.stdout.write(`${JSON.stringify({ ready: target })}\n`);
}
