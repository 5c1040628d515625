/**
 * Clock synchronisation: does the service that keeps this machine's clock say that it is kept?
 *
 * systemd-timesyncd says so with a file, chronyd through `chronyc`; where neither is there, nothing is known. The
 * answer is asked for at most once a minute and in the background: whoever wants it gets the last one at once.
 */
import { execFile } from "node:child_process";
import { access } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@mayfly/core";
import type { Synchronisation } from "../time/self-clock.ts";

/** Asked again not before this. */
export const askIntervalMillis = 60_000;
/** `chronyc` has this long to answer. */
export const chronycMillisMax = 2_000;
/** Longest answer of `chronyc` that is read; one of 4.3 has some 150 bytes. */
const chronycBytesMax = 4_096;

export interface ClockSyncSources {
  /** The folder of systemd-timesyncd; there while it runs. */
  readonly timesyncFolder: string;
  /** `chronyc`, and arguments that say which chronyd. */
  readonly chronyc: readonly [program: string, ...args: string[]];
}

const systemSources: ClockSyncSources = { timesyncFolder: "/run/systemd/timesync", chronyc: ["chronyc"] };

/** @param sources where this machine's services are, unless told otherwise. */
export function createClockSync(
  ports: { readonly clock: Pick<Clock, "monotonicMillis"> },
  sources: ClockSyncSources = systemSources,
): { state(): Synchronisation } {
  let known: Synchronisation = "unknown";
  let askedMillis = Number.NEGATIVE_INFINITY;
  return {
    state() {
      const nowMillis = ports.clock.monotonicMillis();
      if (nowMillis - askedMillis >= askIntervalMillis) {
        askedMillis = nowMillis;
        askClockSync(sources).then((answer) => {
          known = answer;
        });
      }
      return known;
    },
  };
}

/** Asks now. Never rejects: no answer is `unknown`. */
export async function askClockSync(sources: ClockSyncSources): Promise<Synchronisation> {
  if (await exists(sources.timesyncFolder)) {
    // systemd-timesyncd.service(8): made once the clock was set from a server.
    return (await exists(join(sources.timesyncFolder, "synchronized"))) ? "synchronised" : "unsynchronised";
  }
  return parseTracking(await runTracking(sources.chronyc));
}

/**
 * @param line What `chronyc -c tracking` prints: values between commas, the last of them the leap status
 *   (chronyc(1), "tracking").
 */
export function parseTracking(line: string): Synchronisation {
  switch (line.trim().split(",").at(-1)) {
    case "Normal":
    case "Insert second":
    case "Delete second":
      return "synchronised";
    case "Not synchronised":
      return "unsynchronised";
    default:
      return "unknown";
  }
}

function runTracking([program, ...args]: ClockSyncSources["chronyc"]): Promise<string> {
  return new Promise((resolve) => {
    execFile(
      program,
      [...args, "-n", "-c", "tracking"],
      { timeout: chronycMillisMax, killSignal: "SIGKILL", maxBuffer: chronycBytesMax },
      (error, stdout) => resolve(error === null ? stdout : ""),
    );
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
