/**
 * This machine's clock, timers, randomness and SHA-256 as ports, and its time as its operating system keeps it.
 */
import { createHash, randomFillSync } from "node:crypto";
import type { Clock, NumericDate, Random, Sha256, Timers } from "@mayfly/core";
import type { DeviceTime } from "../../ports.ts";
import { clockTime } from "../../time/clock-time.ts";

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

/** The time of this machine, which its operating system keeps. */
export const nodeTime: DeviceTime = clockTime(
  { clock: nodeClock, timers: nodeTimers },
  { floorSeconds: buildFloorSeconds },
);
