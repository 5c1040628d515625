/**
 * Clock and timers on a microcontroller: ticks that roll over and delays that may not be long, made into numbers that
 * grow and delays of any length.
 *
 * A tick count is right across one roll-over only, so the clock sets itself a timer that looks at it in time, whatever
 * the agent does. A long delay is waited for in legs.
 */
import type { CancelTimer, Clock, Timers } from "@mayfly/core";
import type { XsTime, XsTimer } from "./moddable-types.ts";

/** 12 days: half of what a signed 32-bit count of milliseconds holds. */
export const legMillisMax = 2 ** 30;

/** One for the life of the machine: its timer is never cleared. */
export function createXsClock(time: XsTime, timer: XsTimer): Pick<Clock, "monotonicMillis"> {
  let lastTicks = time.ticks;
  let millis = 0;
  const monotonicMillis = (): number => {
    millis += time.delta(lastTicks);
    lastTicks = time.ticks;
    return millis;
  };
  const lookAgain = (): void => {
    monotonicMillis();
    timer.set(lookAgain, legMillisMax);
  };
  timer.set(lookAgain, legMillisMax);
  return { monotonicMillis };
}

export function createXsTimers(timer: XsTimer): Timers {
  return {
    after(delayMillis, run) {
      let left = Math.max(0, Math.ceil(delayMillis));
      let waiting: unknown;
      const wait = (): void => {
        const leg = Math.min(left, legMillisMax);
        left -= leg;
        waiting = timer.set(elapsed, leg);
      };
      const elapsed = (): void => {
        waiting = undefined;
        if (left > 0) wait();
        else run();
      };
      wait();
      const cancel: CancelTimer = () => {
        // A timer that has run must not be cleared.
        if (waiting !== undefined) timer.clear(waiting);
        waiting = undefined;
        left = 0;
      };
      return cancel;
    },
  };
}
