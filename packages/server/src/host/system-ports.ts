/**
 * This machine's clock, timers and randomness, as the ports of `@mayfly/core`.
 */
import { randomFillSync } from "node:crypto";
import type { Clock, Random, Timers } from "@mayfly/core";

export const systemClock: Clock = {
  monotonicMillis: () => performance.now(),
  wallSeconds: () => Date.now() / 1000,
};

export const systemTimers: Timers = {
  after(delayMillis, run) {
    const timer = setTimeout(run, delayMillis);
    return () => clearTimeout(timer);
  },
};

export const systemRandom: Random = {
  fill: (bytes) => randomFillSync(bytes),
};
