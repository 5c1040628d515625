/**
 * Carried samples: what was known at one instant, as it is known at a later one.
 *
 * The monotonic clock carries a time on, and every second it does so widens the bound by what that clock may be off.
 * Two samples can be compared only at the same instant.
 *
 * Left to others: whose word counts (`trust-rules.ts`).
 */
import type { TimeSample } from "./time-sample.ts";

/** @param ppmBound How far the monotonic clock may be off, parts per million. */
export function carried(sample: TimeSample, atMillis: number, ppmBound: number): TimeSample {
  const elapsedSeconds = (atMillis - sample.atMillis) / 1000;
  return {
    atMillis,
    seconds: sample.seconds + elapsedSeconds,
    boundSeconds: sample.boundSeconds + Math.abs(elapsedSeconds) * ppmBound * 1e-6,
  };
}

/** Can both be right? Both at the same instant. */
export function doOverlap(a: TimeSample, b: TimeSample): boolean {
  return Math.abs(a.seconds - b.seconds) <= a.boundSeconds + b.boundSeconds;
}

/** The middle of what both allow. Both at the same instant, and overlapping. */
export function middleOfBoth(a: TimeSample, b: TimeSample): number {
  const from = Math.max(a.seconds - a.boundSeconds, b.seconds - b.boundSeconds);
  const until = Math.min(a.seconds + a.boundSeconds, b.seconds + b.boundSeconds);
  return (from + until) / 2;
}
