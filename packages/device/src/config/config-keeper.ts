/**
 * Config keeper: hands each config to the application once, and lets the bridge know of it when it is in force.
 *
 * One is handed over at a time, and at most one waits: of configs only the newest counts, so a newer one takes the place
 * of the one that waits. What the application took is remembered (beyond a restart where there is a store), and the same
 * config is not handed over again. What it failed to take is asked for again, in pauses that double, a bounded number of
 * times; after that it comes with the next connection.
 *
 * Left to others: running the handler and its time limit (`handler-run.ts`), the PUBACK
 * (`session/downlink-acknowledgements.ts`), and the SUBSCRIBE that asks again (`session/subscriptions.ts`).
 */
import type { Sha256, Timers } from "@mayfly/core";
import type { Verdict } from "../handler-run.ts";
import { OneTimer } from "../one-timer.ts";
import type { SmallStore } from "../ports.ts";
import type { AgentEvent } from "../status.ts";
import {
  type AppliedConfig,
  compareConfigs,
  decodeAppliedConfig,
  encodeAppliedConfig,
} from "./applied-config.ts";

/** Key in the store. */
export const configStoreKey = "config";
/** The first pause after a handler failed; each further one is twice as long. */
export const configAgainMillisFirst = 5_000;
/** So often one config is asked for again; the last pause is 80 s. */
export const configAgainTimesMax = 5;

export interface ConfigMessage {
  readonly payload: Uint8Array;
  readonly version?: number;
}

export interface ConfigKeeperPorts {
  readonly sha256: Sha256;
  readonly timers: Timers;
  /** Given where what the application made of its config outlives a restart as well. */
  readonly configStore?: SmallStore;
}

interface Waiting {
  readonly message: ConfigMessage;
  readonly settle: (verdict: Verdict) => void;
}

export class ConfigKeeper {
  readonly #ports: ConfigKeeperPorts;
  readonly #handle: (message: ConfigMessage, settle: (verdict: Verdict) => void) => void;
  readonly #askAgain: () => void;
  readonly #tell: (event: AgentEvent) => void;
  readonly #timer: OneTimer;
  #applied: AppliedConfig | undefined;
  #isRunning = false;
  #waiting: Waiting | undefined;
  #failures = 0;

  /**
   * @param handle Hands a config to the application, and settles exactly once.
   * @param askAgain Has the bridge send its config again, where there is a connection.
   */
  constructor(
    ports: ConfigKeeperPorts,
    handle: (message: ConfigMessage, settle: (verdict: Verdict) => void) => void,
    askAgain: () => void,
    tell: (event: AgentEvent) => void,
  ) {
    this.#ports = ports;
    this.#handle = handle;
    this.#askAgain = askAgain;
    this.#tell = tell;
    this.#timer = new OneTimer(ports.timers);
    const kept = ports.configStore?.read(configStoreKey);
    this.#applied = kept === undefined ? undefined : decodeAppliedConfig(kept);
  }

  /** The version in force, where it is known. */
  get version(): number | undefined {
    return this.#applied?.version;
  }

  /** @param settle Told once: `taken` also of a config that is in force already, and of one that a newer one replaced. */
  take(message: ConfigMessage, settle: (verdict: Verdict) => void): void {
    if (this.#isRunning) {
      this.#waiting?.settle("taken");
      this.#waiting = { message, settle };
      return;
    }
    const digest = this.#ports.sha256.digest(message.payload);
    const next = message.version === undefined ? { digest } : { version: message.version, digest };
    const change = compareConfigs(this.#applied, next);
    if (change === "same") {
      // The bridge may have said by now which version it is.
      if (next.version !== undefined) this.#applied = next;
      settle("taken");
      return;
    }
    const from = this.#applied?.version;
    if (change === "went_back" && from !== undefined && next.version !== undefined) {
      this.#tell({ kind: "config_went_back", from, to: next.version });
    }
    this.#run(message, next, settle);
  }

  /** The agent ends. */
  close(): void {
    this.#timer.clear();
    // A handler may still run and fail.
    this.#failures = configAgainTimesMax;
    this.#waiting = undefined;
  }

  #run(message: ConfigMessage, next: AppliedConfig, settle: (verdict: Verdict) => void): void {
    this.#isRunning = true;
    this.#handle(message, (verdict) => {
      if (verdict !== "taken") {
        this.#finish(verdict, settle);
        this.#askLater();
        return;
      }
      this.#applied = next;
      this.#failures = 0;
      this.#timer.clear();
      this.#tell({
        kind: "config_applied",
        ...(next.version === undefined ? undefined : { version: next.version }),
      });
      const { configStore } = this.#ports;
      if (configStore === undefined) {
        this.#finish(verdict, settle);
        return;
      }
      // It is in force, kept or not: where it is not, it is handed over again after a restart.
      const finish = (): void => this.#finish(verdict, settle);
      configStore.write(configStoreKey, encodeAppliedConfig(next)).then(finish, () => {
        this.#tell({ kind: "config_not_kept" });
        finish();
      });
    });
  }

  #finish(verdict: Verdict, settle: (verdict: Verdict) => void): void {
    this.#isRunning = false;
    settle(verdict);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) this.take(waiting.message, waiting.settle);
  }

  #askLater(): void {
    if (this.#failures >= configAgainTimesMax) return;
    this.#timer.set(configAgainMillisFirst * 2 ** this.#failures, this.#askAgain);
    this.#failures += 1;
  }
}
