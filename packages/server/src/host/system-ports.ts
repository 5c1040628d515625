/**
 * This machine's clock, timers and randomness, as the ports of `@mayfly/core`.
 */
import { createHash, randomFillSync } from "node:crypto";
import type { Clock, Random, Sha256, Timers } from "@mayfly/core";

export const systemClock: Clock = {
  monotonicMillis: () => performance.now(),
  wallSeconds: () => Date.now() / 1000,
};

export const systemTimers: Timers = {
  after(delayMillis, run) {
    // A delay of 0 ends a turn: `setTimeout` would make it a millisecond of latency for every acknowledgement.
    if (delayMillis <= 0) {
      const turn = setImmediate(run);
      return () => clearImmediate(turn);
    }
    const timer = setTimeout(run, delayMillis);
    return () => clearTimeout(timer);
  },
};

export const systemRandom: Random = {
  fill: (bytes) => randomFillSync(bytes),
};

export const nodeSha256: Sha256 = {
  digest: (bytes) => new Uint8Array(createHash("sha256").update(bytes).digest()),
};
