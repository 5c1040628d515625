/**
 * Alarm: one timer for any number of waiting things.
 *
 * A due time that moves later is not moved in the heap: the thing is woken at the old time, sees that it has
 * nothing to do, and asks again. So a busy connection pays for its keep-alive once per keep-alive, not once
 * per packet. Only the earliest due time has a timer of the machine.
 */
import type { CancelTimer, Clock, Timers } from "@mayfly/core";
import { DeadlineHeap, type HeapEntry } from "./deadline-heap.ts";

/** Something that waits for a time. */
export interface Waiting extends HeapEntry {
  /** Called outside the heap; asks for its next time with {@link Alarm.wakeBy}, or not at all. */
  wake(nowMillis: number): void;
}

/** Woken in one turn; the rest in the next, so that bytes are read in between. */
export const wokenPerTurnMax = 1_000;
/** Largest delay a timer port takes. */
const delayMillisMax = 2 ** 31 - 1;

export class Alarm {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #heap = new DeadlineHeap<Waiting>();
  #cancel: CancelTimer | undefined;
  #armedMillis = Number.POSITIVE_INFINITY;
  #ringing = false;

  constructor(ports: { readonly clock: Clock; readonly timers: Timers }) {
    this.#clock = ports.clock;
    this.#timers = ports.timers;
  }

  /** How many things wait. */
  get size(): number {
    return this.#heap.size;
  }

  /** Wakes `waiting` at `dueMillis` (monotonic) or earlier; an earlier time asked for before stands. */
  wakeBy(waiting: Waiting, dueMillis: number): void {
    if (waiting.heapIndex >= 0 && waiting.dueMillis <= dueMillis) return;
    this.#heap.set(waiting, dueMillis);
    if (!this.#ringing && dueMillis < this.#armedMillis) this.#arm();
  }

  /** Forgets `waiting`. */
  forget(waiting: Waiting): void {
    this.#heap.remove(waiting);
    if (this.#heap.size === 0) this.#disarm();
  }

  /** Wakes what is due now, without waiting for the timer. */
  ring(): void {
    if (!this.#ringing) this.#ring();
  }

  #arm(): void {
    this.#disarm();
    const first = this.#heap.first;
    if (first === undefined) return;
    this.#armedMillis = first.dueMillis;
    const delayMillis = Math.ceil(first.dueMillis - this.#clock.monotonicMillis());
    this.#cancel = this.#timers.after(Math.min(Math.max(delayMillis, 0), delayMillisMax), () => this.#ring());
  }

  #disarm(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#armedMillis = Number.POSITIVE_INFINITY;
  }

  #ring(): void {
    this.#disarm();
    this.#ringing = true;
    const nowMillis = this.#clock.monotonicMillis();
    try {
      for (let woken = 0; woken < wokenPerTurnMax; woken++) {
        const first = this.#heap.first;
        if (first === undefined || first.dueMillis > nowMillis) break;
        this.#heap.remove(first);
        first.wake(nowMillis);
      }
    } finally {
      // Whatever one of them did wrong, the others' deadlines stand.
      this.#ringing = false;
      this.#arm();
    }
  }
}
