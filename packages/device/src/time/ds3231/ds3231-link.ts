/**
 * DS3231 link: bursts and writes over the I2C bus, each ended by an answer, an error or a timeout.
 *
 * One transaction is under way at most, also while a stuck bus never ends it: until then every other one is answered
 * `bus_silent` at once, so that nothing piles up behind it.
 *
 * Left to others: what is read and written (`ds3231.ts`).
 */
import type { Clock, Timers } from "@mayfly/core";
import type { I2cBus } from "../../ports.ts";
import { ds3231Address, register, registerCount } from "./registers.ts";

/** A transaction that has not ended by then is given up: a bus that somebody holds down. */
export const transactionMillisMax = 1_000;

export interface Ds3231Ports {
  readonly bus: I2cBus;
  readonly clock: Pick<Clock, "monotonicMillis">;
  readonly timers: Timers;
}

export type TransactionTrouble =
  /** Nobody answers at 0x68. */
  | "not_acknowledged"
  | "bus_failed"
  /** A transaction did not end. */
  | "bus_silent";

/** All registers as they were at one instant between two of ours. */
export interface Burst {
  readonly bytes: Uint8Array;
  readonly beforeMillis: number;
  readonly afterMillis: number;
}

export class Ds3231Link {
  readonly #ports: Ds3231Ports;
  #isUnanswered = false;

  constructor(ports: Ds3231Ports) {
    this.#ports = ports;
  }

  now(): number {
    return this.#ports.clock.monotonicMillis();
  }

  pause(millis: number): Promise<void> {
    return new Promise((resolve) => {
      this.#ports.timers.after(millis, resolve);
    });
  }

  /** The registers are latched at the START of the reading transaction, not of the one that sets the pointer. */
  async burst(): Promise<Burst | TransactionTrouble> {
    const trouble = await this.write(register.seconds, []);
    if (trouble !== undefined) return trouble;
    const beforeMillis = this.now();
    const bytes = await this.#transact((bus) => bus.read(ds3231Address, registerCount));
    if (bytes === undefined) return "not_acknowledged";
    return typeof bytes === "string" ? bytes : { bytes, beforeMillis, afterMillis: this.now() };
  }

  /** Writes registers from `first` on, in one transfer. */
  async write(first: number, values: ArrayLike<number>): Promise<TransactionTrouble | undefined> {
    const bytes = new Uint8Array(1 + values.length);
    bytes[0] = first;
    bytes.set(values, 1);
    const outcome = await this.#transact((bus) => bus.write(ds3231Address, bytes));
    if (outcome === "ack") return undefined;
    return outcome === "nack" ? "not_acknowledged" : outcome;
  }

  #transact<T>(start: (bus: I2cBus) => Promise<T>): Promise<T | "bus_failed" | "bus_silent"> {
    if (this.#isUnanswered) return Promise.resolve("bus_silent");
    this.#isUnanswered = true;
    return new Promise((resolve) => {
      const cancel = this.#ports.timers.after(transactionMillisMax, () => resolve("bus_silent"));
      const end = (outcome: T | "bus_failed"): void => {
        this.#isUnanswered = false;
        cancel();
        resolve(outcome);
      };
      start(this.#ports.bus).then(end, () => end("bus_failed"));
    });
  }
}
