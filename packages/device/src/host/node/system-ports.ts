/**
 * This machine's clock, timers, randomness and SHA-256 as ports, and when its clock may be believed.
 */
import { createHash, randomFillSync } from "node:crypto";
import type { Clock, NumericDate, Random, Sha256, Timers } from "@mayfly/core";
import type { ClockTrust } from "../../ports.ts";

export const nodeClock: Clock = {
  monotonicMillis: () => performance.now(),
  wallSeconds: () => Date.now() / 1000,
};

export const nodeTimers: Timers = {
  after(delayMillis, run) {
    const timer = setTimeout(run, delayMillis);
    return () => clearTimeout(timer);
  },
};

export const nodeRandom: Random = {
  fill: (bytes) => randomFillSync(bytes),
};

export const nodeSha256: Sha256 = {
  digest: (bytes) => createHash("sha256").update(bytes).digest(),
};

/** 2026-01-01T00:00:00Z: this program did not exist before, so a clock that says so is wrong. */
export const buildFloorSeconds: NumericDate = 1_767_225_600;

/**
 * The system clock is taken at its word once it is past the date of the build: enough to catch a machine
 * that started in 1970, not enough to catch one that is an hour off.
 */
export function trustAfter(clock: Pick<Clock, "wallSeconds">, floorSeconds: NumericDate): () => ClockTrust {
  return () =>
    clock.wallSeconds() >= floorSeconds
      ? { kind: "ready", uncertaintySeconds: 0 }
      : { kind: "waiting", because: "the system clock is behind the date of the build" };
}
