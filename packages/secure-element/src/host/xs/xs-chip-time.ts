/** Time on a microcontroller: ticks that roll over, made into a number that does not. */
import type { ChipTime } from "../../bus.ts";
import type { XsTime, XsTimer } from "./i2c-types.ts";

/** Ask it at least every 24 days, as any driver in use does, or a roll-over goes unseen. */
export function xsChipTime(time: XsTime, timer: XsTimer): ChipTime {
  let lastTicks = time.ticks;
  let millis = 0;
  return {
    monotonicMillis() {
      millis += time.delta(lastTicks);
      lastTicks = time.ticks;
      return millis;
    },
    delayMicros(micros) {
      // A tick may end right after it was looked at, so "at least" costs one more.
      return new Promise((resolve) => {
        timer.set(resolve, Math.ceil(micros / 1000) + 1);
      });
    },
  };
}
