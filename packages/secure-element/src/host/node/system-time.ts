/** The machine's own time, for a chip on a real bus. */
import { performance } from "node:perf_hooks";
import { setTimeout as wait } from "node:timers/promises";
import type { ChipTime } from "../../bus.ts";

/** Waits are rounded up to the next whole millisecond: what Node's timers can do. */
export function systemChipTime(): ChipTime {
  return {
    monotonicMillis: () => performance.now(),
    async delayMicros(micros) {
      const until = performance.now() + micros / 1000;
      // A timer may fire a fraction of a millisecond early; "at least" is the port's promise.
      for (let left = micros / 1000; left > 0; left = until - performance.now()) await wait(Math.ceil(left));
    },
  };
}
