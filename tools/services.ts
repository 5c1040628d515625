/**
 * Outside programs that some tests need: clients we did not write, and witnesses that see what we do.
 *
 * On a developer's machine a missing one is a skip, counted and printed with what to install. With `CI=true` the
 * set-up installs it (Debian's apt) or fails: a check that CI silently leaves out is no check.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { ROOT } from "./program.ts";

/** The program of the XS engine. */
export const xsWorkerFile = join(
  ROOT,
  "engines/xs/node_modules/@agoric/xsnap/xsnap-native/xsnap/build/bin",
  process.platform === "darwin" ? "mac" : "lin",
  "release/xsnap-worker",
);

type Service = {
  /** Debian's package, or a folder here whose packages npm installs. */
  readonly aptPackage?: string;
  readonly npmFolder?: string;
  /** A command that ends with 0 where the service is there. */
  readonly probe: readonly [string, ...string[]];
};

const onPath = (program: string): Service["probe"] => ["sh", "-c", `command -v ${program}`];

export const services = {
  // A daemon's place is /usr/sbin, which is not on every user's path.
  chronyd: { aptPackage: "chrony", probe: ["sh", "-c", "PATH=$PATH:/usr/sbin command -v chronyd"] },
  faketime: { aptPackage: "faketime", probe: onPath("faketime") },
  mosquitto: { aptPackage: "mosquitto", probe: ["sh", "-c", "PATH=$PATH:/usr/sbin command -v mosquitto"] },
  mosquitto_pub: { aptPackage: "mosquitto-clients", probe: onPath("mosquitto_pub") },
  mosquitto_sub: { aptPackage: "mosquitto-clients", probe: onPath("mosquitto_sub") },
  curl: { aptPackage: "curl", probe: onPath("curl") },
  openssl: { aptPackage: "openssl", probe: onPath("openssl") },
  python3: { aptPackage: "python3", probe: onPath("python3") },
  strace: { aptPackage: "strace", probe: onPath("strace") },
  "systemd-analyze": { aptPackage: "systemd", probe: onPath("systemd-analyze") },
  "systemd-notify": { aptPackage: "systemd", probe: onPath("systemd-notify") },
  tshark: { aptPackage: "tshark", probe: onPath("tshark") },
  // The C library's headers come with it.
  cc: { aptPackage: "build-essential", probe: onPath("cc") },
  "paho-c": { aptPackage: "libpaho-mqtt-dev", probe: ["test", "-e", "/usr/include/MQTTClient.h"] },
  // Debian's module belongs to Debian's Python; another python3 on the path does not see it.
  paho: { aptPackage: "python3-paho-mqtt", probe: ["/usr/bin/python3", "-c", "import paho.mqtt.client"] },
  // Compiled when it is installed; where install scripts are off or there is no compiler, it is not there.
  xs: { npmFolder: "engines/xs", probe: ["test", "-x", xsWorkerFile] },
} as const satisfies Record<string, Service>;

export type ServiceName = keyof typeof services;

/** Thrown by {@link requireService} to leave a test that was skipped. */
export class ServiceMissing extends Error {
  override readonly name = "ServiceMissing";
}

/** Whether CI's stricter rule applies. */
export function isCi(environment: NodeJS.ProcessEnv = process.env): boolean {
  return environment["CI"] === "true" || environment["CI"] === "1";
}

/** Whether the program is on this machine. */
export function isServiceThere(name: ServiceName): boolean {
  const [command, ...args] = services[name].probe;
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

/**
 * The first line of a test that needs an outside program: where it is missing the test ends here, skipped with the
 * package that would bring it.
 *
 * @throws {ServiceMissing} after the skip, which node:test then counts as a skip.
 * @throws {Error} with `CI=true`, where a missing program is a failure.
 */
export function requireService(t: Pick<TestContext, "skip">, name: ServiceName): void {
  if (isServiceThere(name)) return;
  const reason = `${name} is not installed (${howToInstall(services[name])})`;
  if (isCi()) throw new Error(`${reason}; with CI=true that is a failure`);
  t.skip(reason);
  throw new ServiceMissing(reason);
}

function howToInstall(service: Service): string {
  const { aptPackage, npmFolder } = service;
  return npmFolder === undefined ? `Debian: apt-get install ${aptPackage}` : `npm ci --prefix ${npmFolder}`;
}

/** What is missing: Debian's packages, and folders for npm. */
export function findMissingPackages(): { readonly apt: readonly string[]; readonly npm: readonly string[] } {
  const names = Object.keys(services) as ServiceName[];
  const missing: readonly Service[] = names
    .filter((name) => !isServiceThere(name))
    .map((name) => services[name]);
  const of = (list: readonly (string | undefined)[]): readonly string[] => [
    ...new Set(list.filter((name) => name !== undefined)),
  ];
  return {
    apt: of(missing.map(({ aptPackage }) => aptPackage)),
    npm: of(missing.map(({ npmFolder }) => npmFolder)),
  };
}

/**
 * Brings the missing programs where CI's rule applies; elsewhere only says what will be skipped.
 *
 * @throws {Error} with `CI=true` when something is still missing afterwards.
 */
export function setUpServices(say: (line: string) => void): void {
  const missing = findMissingPackages();
  const names = [...missing.apt, ...missing.npm];
  if (names.length === 0) return;
  if (!isCi()) {
    say(`not installed, so some tests will be skipped: ${names.join(", ")}`);
    return;
  }

  say(`installing for CI: ${names.join(", ")}`);
  if (missing.apt.length > 0) {
    apt("update");
    apt("install", "--yes", "--no-install-recommends", ...missing.apt);
  }
  for (const folder of missing.npm) npmCi(folder);
  const still = findMissingPackages();
  const absent = [...still.apt, ...still.npm];
  if (absent.length > 0)
    throw new Error(`with CI=true these must be there, and are not: ${absent.join(", ")}`);
}

/** The engine compiles itself: with `make` and a C compiler, which CI has. */
function npmCi(folder: string): void {
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", join(ROOT, folder)];
  const end = spawnSync("npm", args, { stdio: ["ignore", 2, 2] });
  if (end.status !== 0)
    throw new Error(`npm ci in ${folder} failed (${end.error?.message ?? `exit ${end.status}`})`);
}

function apt(...args: readonly string[]): void {
  const isRoot = process.getuid?.() === 0;
  const [command, ...before] = isRoot ? ["apt-get"] : ["sudo", "--non-interactive", "apt-get"];
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const end = spawnSync(command ?? "apt-get", [...before, "--quiet", ...args], {
    stdio: ["ignore", 2, 2],
    env: environment,
  });
  if (end.status !== 0) {
    throw new Error(`apt-get ${args[0]} failed (${end.error?.message ?? `exit ${end.status}`})`);
  }
}
