/**
 * Clock and timers on a microcontroller: ticks that roll over and delays that may not be long, made into numbers that
 * grow and delays of any length.
 *
 * A tick count is right across one roll-over only, so the clock sets itself a timer that looks at it in time, whatever
 * the agent does. A long delay is waited for in legs.
 */
import type { Clock, Timers } from "@mayfly/core";
import type { XsTime, XsTimer } from "./moddable-types.ts";

/** 12 days: half of what a signed 32-bit count of milliseconds holds. */
export const legMillisMax = 2 ** 30;

/** One for the life of the machine: its timer is never cleared. */
export function createXsClock(time: XsTime, timer: XsTimer): Pick<Clock, "monotonicMillis"> {
  return new XsClock(time, timer);
}

export function createXsTimers(timer: XsTimer): Timers {
  return {
    after(delayMillis, run) {
      const wait = new Wait(timer, Math.max(0, Math.ceil(delayMillis)), run);
      return () => wait.cancel();
    },
  };
}

class XsClock {
  readonly #time: XsTime;
  #lastTicks: number;
  #millis = 0;

  constructor(time: XsTime, timer: XsTimer) {
    this.#time = time;
    this.#lastTicks = time.ticks;
    this.#lookLater(timer);
  }

  monotonicMillis(): number {
    this.#millis += this.#time.delta(this.#lastTicks);
    this.#lastTicks = this.#time.ticks;
    return this.#millis;
  }

  #lookLater(timer: XsTimer): void {
    timer.set(() => {
      this.monotonicMillis();
      this.#lookLater(timer);
    }, legMillisMax);
  }
}

/** One delay under way, in legs. An object, since on this engine a function inside a function is dear. */
class Wait {
  readonly #timer: XsTimer;
  readonly #run: () => void;
  #leftMillis: number;
  #leg: unknown;

  constructor(timer: XsTimer, delayMillis: number, run: () => void) {
    this.#timer = timer;
    this.#run = run;
    this.#leftMillis = delayMillis;
    this.#begin();
  }

  cancel(): void {
    // A timer that has run must not be cleared.
    if (this.#leg !== undefined) this.#timer.clear(this.#leg);
    this.#leg = undefined;
  }

  #begin(): void {
    const legMillis = Math.min(this.#leftMillis, legMillisMax);
    this.#leftMillis -= legMillis;
    this.#leg = this.#timer.set(() => this.#end(), legMillis);
  }

  #end(): void {
    this.#leg = undefined;
    if (this.#leftMillis > 0) this.#begin();
    else this.#run();
  }
}
