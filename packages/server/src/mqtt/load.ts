/**
 * Load: what all connections together have handed to the store and not had answered, against its bounds.
 *
 * Backpressure begins before the store refuses, since a refusal costs connections: from a half on, QoS 0 is
 * dropped and the busiest connections wait; from four fifths on, every publisher waits and only devices that
 * are here already may connect. Nothing else waits: renewals, PINGREQ, PUBACK and DISCONNECT go on. Whoever had
 * to wait for the process, and not for messages of its own, leaves its name and is called when there is room.
 *
 * Left to others: what waiting means for a connection (`uplink.ts`).
 */
import type { Timers } from "@mayfly/core";
import { easedPerTurnMax, inFlightBytesMax, inFlightMessagesMax } from "./limits.ts";

/** `high` from a half of either bound on, `full` from four fifths on. */
export type LoadLevel = "normal" | "high" | "full";

const highShare = 0.5;
const fullShare = 0.8;

export interface LoadWaiter {
  /** There may be room again; whoever still has to wait asks again. */
  loadEased(): void;
}

export class Load {
  readonly #timers: Timers;
  readonly #waiters = new Set<LoadWaiter>();
  #messages = 0;
  #bytes = 0;
  #isCalling = false;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  get messages(): number {
    return this.#messages;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get waiters(): number {
    return this.#waiters.size;
  }

  /** Of the nearer bound: 0 is idle, 1 is the bound itself. */
  get share(): number {
    return Math.max(this.#messages / inFlightMessagesMax, this.#bytes / inFlightBytesMax);
  }

  get level(): LoadLevel {
    const { share } = this;
    return share < highShare ? "normal" : share < fullShare ? "high" : "full";
  }

  /** A message went to the store. */
  add(payloadBytes: number): void {
    this.#messages += 1;
    this.#bytes += payloadBytes;
  }

  /** The store answered for it, whatever it said. */
  remove(payloadBytes: number): void {
    this.#messages -= 1;
    this.#bytes -= payloadBytes;
    if (this.#waiters.size > 0 && this.level !== "full") this.#callLater();
  }

  /** Calls `waiter` once when there may be room. */
  wait(waiter: LoadWaiter): void {
    this.#waiters.add(waiter);
  }

  forget(waiter: LoadWaiter): void {
    this.#waiters.delete(waiter);
  }

  #callLater(): void {
    if (this.#isCalling) return;
    this.#isCalling = true;
    this.#timers.after(0, () => {
      this.#isCalling = false;
      let left = easedPerTurnMax;
      for (const waiter of [...this.#waiters]) {
        if (left === 0 || this.level === "full") break;
        left -= 1;
        this.#waiters.delete(waiter);
        waiter.loadEased();
      }
      if (left === 0 && this.#waiters.size > 0) this.#callLater();
    });
  }
}
