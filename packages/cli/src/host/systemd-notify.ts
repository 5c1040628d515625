/**
 * Word to systemd: ready, alive, ending, and a line for `systemctl status` (sd_notify(3)).
 *
 * Node has no datagrams over Unix sockets, so systemd's own `systemd-notify` carries them; the unit allows that with
 * NotifyAccess=all. Without NOTIFY_SOCKET nothing is sent; a word that cannot be sent is no reason to end.
 */
import { spawn } from "node:child_process";

export interface SystemdNotifier {
  /** How often a word must come, in milliseconds; undefined where nobody watches. */
  readonly watchdogMillis: number | undefined;
  ready(status: string): void;
  /** @param status For people, one line. */
  alive(status: string): void;
  /** Resolves when it has been said, or cannot be. */
  stopping(): Promise<void>;
}

/** One word under way at most: a slow systemd is not asked twice. */
export function createSystemdNotifier(environment: NodeJS.ProcessEnv = process.env): SystemdNotifier {
  const isThere = (environment["NOTIFY_SOCKET"] ?? "") !== "";
  const micros = Number(environment["WATCHDOG_USEC"] ?? Number.NaN);
  const isWatched = isThere && Number.isFinite(micros) && micros > 0;
  let underWay: Promise<void> | undefined;

  async function say(...words: readonly string[]): Promise<void> {
    if (!isThere) return;
    await new Promise<void>((resolve) => {
      const child = spawn("systemd-notify", [...words], {
        env: environment,
        stdio: "ignore",
      });
      child.once("error", () => resolve());
      child.once("exit", () => resolve());
    });
  }

  function sayOnce(...words: readonly string[]): void {
    if (underWay !== undefined) return;
    underWay = say(...words).finally(() => {
      underWay = undefined;
    });
  }

  return {
    watchdogMillis: isWatched ? micros / 1000 : undefined,
    ready: (status) => sayOnce("--ready", `--status=${status}`),
    alive: (status) => sayOnce(`--status=${status}`, "WATCHDOG=1"),
    async stopping() {
      await underWay;
      await say("STOPPING=1");
    },
  };
}
