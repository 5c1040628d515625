/**
 * Clock filter: of a server's last eight answers, believe the one that can be least wrong today.
 *
 * The true time lies within half the round trip of what was measured, so a short one bounds the error on its own.
 * Older answers are aged by 15 ppm, lest one lucky packet rule for hours (RFC 5905 §10, NSTAGE = 8, PHI = 15e-6).
 * An older answer that the newest one contradicts is forgotten: the server's clock was set, or our monotonic clock
 * stood still while the machine slept, and either way it says nothing of now.
 */
import type { NumericDate } from "@mayfly/core";
import type { TimeSample } from "../time-sample.ts";

export const filterStages = 8;
/** RFC 5905 PHI. */
export const agingPerSecond = 15e-6;

/** atMillis, seconds, boundSeconds of one sample. */
const stride = 3;

export class ClockFilter {
  /** The newest first. Numbers in one block: a microcontroller pays 16 bytes for each property of an object. */
  readonly #kept = new Float64Array(filterStages * stride);
  #count = 0;

  add(sample: TimeSample): void {
    this.#forgetContradicted(sample);
    this.#count = Math.min(this.#count + 1, filterStages);
    this.#kept.copyWithin(stride, 0, (this.#count - 1) * stride);
    this.#kept[0] = sample.atMillis;
    this.#kept[1] = sample.seconds;
    this.#kept[2] = sample.boundSeconds;
  }

  /** @param atMillis Now, monotonic. @returns The best sample as it stands now; undefined before the first. */
  best(atMillis: number): TimeSample | undefined {
    let bestIndex = -1;
    let boundSeconds = Number.POSITIVE_INFINITY;
    for (let index = 0; index < this.#count; index++) {
      const bound = this.#boundAt(index, atMillis);
      if (bound < boundSeconds) {
        bestIndex = index;
        boundSeconds = bound;
      }
    }
    return bestIndex < 0
      ? undefined
      : { atMillis, seconds: this.#secondsAt(bestIndex, atMillis), boundSeconds };
  }

  #forgetContradicted(newest: TimeSample): void {
    let kept = 0;
    for (let index = 0; index < this.#count; index++) {
      const apart = Math.abs(this.#secondsAt(index, newest.atMillis) - newest.seconds);
      if (apart > this.#boundAt(index, newest.atMillis) + newest.boundSeconds) continue;
      this.#kept.copyWithin(kept * stride, index * stride, (index + 1) * stride);
      kept += 1;
    }
    this.#count = kept;
  }

  #ageSeconds(index: number, atMillis: number): number {
    return (atMillis - (this.#kept[index * stride] ?? 0)) / 1000;
  }

  #secondsAt(index: number, atMillis: number): NumericDate {
    return (this.#kept[index * stride + 1] ?? 0) + this.#ageSeconds(index, atMillis);
  }

  #boundAt(index: number, atMillis: number): number {
    return (this.#kept[index * stride + 2] ?? 0) + agingPerSecond * this.#ageSeconds(index, atMillis);
  }
}
