/**
 * Drift fit: how fast a clock runs, in ppm, and by how much that may be wrong.
 *
 * A line through (reference time, clock minus reference) by least squares, each sample weighing 1/bound². The slope is a
 * weighted sum of what was measured, Σ w·ahead, so its error is at most Σ |w|·bound: no chance is assumed, only that
 * each sample is within its own bound. Where a sample lies further from the line than its bound, that distance counts
 * instead: a clock whose drift wanders widens the bound by itself. Two ends of ± 20 ms a day apart give ± 0.47 ppm.
 *
 * A sample that cannot be true if the line is, even after a change of drift, is an outlier. Three in a row are the truth,
 * and the line was not.
 *
 * Left to others: which samples are kept (`drift-samples.ts`); when one is worth taking, and that the fit is restarted
 * when the clock is set or trimmed.
 */
import type { NumericDate } from "@mayfly/core";
import { DriftSamples, decodeDriftSamples, driftBoundMicrosMax } from "./drift-samples.ts";

/** A shorter span tells nothing that the datasheet does not. */
export const driftSpanSecondsMin = 24 * 3_600;
/** No crystal is worse. */
export const driftPpmMax = 200;
/** How much a drift may have changed since the sample before: what a DS3231 does over all its temperatures. */
export const driftWanderPpmMax = 5;
/** So many, one after the other, begin a new fit with the last of them. */
export const driftOutliersMax = 3;

export interface DriftSample {
  /** The true time, as the reference has it; 2000 to 2135. */
  readonly refSeconds: NumericDate;
  /** Clock minus reference, at that instant. */
  readonly aheadSeconds: number;
  /** How wrong that difference may be: the reference's bound and that of reading the clock; under 60 s. */
  readonly boundSeconds: number;
  readonly temperatureC: number;
}

export interface DriftEstimate {
  /** Positive: the clock runs fast. */
  readonly ppm: number;
  /** The true drift is within `ppm` ± this, if each sample is within its bound and the drift has not changed. */
  readonly boundPpm: number;
  readonly spanSeconds: number;
  /** Between coldest and warmest in the span; whole degrees. */
  readonly temperatureSpanC: number;
}

/** What was made of a sample; `restarted`: it is the first of a new fit. */
export type DriftSampleOutcome = "taken" | "outlier" | "restarted";

const epochSeconds = 946_684_800;
/** Times are kept in whole seconds and differences in whole µs: that costs half a second of drift, and half a µs. */
const roundingMicros = driftPpmMax / 2 + 1;

/** The line; times from the oldest sample on. */
interface Line {
  readonly middleSeconds: number;
  readonly middleMicros: number;
  readonly middleBoundMicros: number;
  readonly ppm: number;
  readonly boundPpm: number;
}

export class DriftFit {
  readonly #samples: DriftSamples;

  constructor(samples = new DriftSamples()) {
    this.#samples = samples;
  }

  get samples(): number {
    return this.#samples.count;
  }

  /** For {@link encodeDriftFit}; they change with the fit. */
  get bytes(): Uint8Array {
    return this.#samples.bytes;
  }

  /** Forgets all: the clock was set, or its aging offset changed. */
  restart(): void {
    this.#samples.clear();
  }

  add(sample: DriftSample): DriftSampleOutcome {
    const kept = this.#samples;
    const seconds = Math.round(sample.refSeconds - epochSeconds);
    const ahead = Math.round(sample.aheadSeconds * 1e6);
    const bound = Math.ceil(sample.boundSeconds * 1e6) + roundingMicros;
    const canBeKept =
      seconds >= 0 &&
      seconds <= 0xffff_ffff &&
      Math.abs(ahead) <= 0x7fff_ffff &&
      sample.boundSeconds >= 0 &&
      bound <= driftBoundMicrosMax;
    if (!canBeKept) return "outlier";
    let outcome: DriftSampleOutcome = "taken";
    if (this.#isOutlier(seconds, ahead, bound)) {
      kept.outliersInARow += 1;
      if (kept.outliersInARow < driftOutliersMax) return "outlier";
      kept.clear();
      outcome = "restarted";
    }
    kept.keep(seconds, ahead, bound, sample.temperatureC);
    return outcome;
  }

  /** @returns undefined while the samples span less than a day. */
  estimate(): DriftEstimate | undefined {
    const kept = this.#samples;
    const { count } = kept;
    const spanSeconds = count < 2 ? 0 : kept.seconds(count - 1) - kept.seconds(0);
    if (spanSeconds < driftSpanSecondsMin) return undefined;
    const { ppm, boundPpm } = fitLine(kept);
    let coldest = kept.coldest(0);
    let warmest = kept.warmest(0);
    for (let index = 1; index < count; index += 1) {
      coldest = Math.min(coldest, kept.coldest(index));
      warmest = Math.max(warmest, kept.warmest(index));
    }
    return { ppm, boundPpm, spanSeconds, temperatureSpanC: warmest - coldest };
  }

  /** Not later than the last, steeper than any crystal, or too far from the line. */
  #isOutlier(seconds: number, ahead: number, bound: number): boolean {
    const kept = this.#samples;
    const last = kept.count - 1;
    if (last < 0) return false;
    const since = seconds - kept.seconds(last);
    const step = Math.abs(ahead - kept.ahead(last));
    if (since <= 0 || step > bound + kept.bound(last) + driftPpmMax * since) return true;
    if (last === 0) return false;
    const line = fitLine(kept);
    const fromMiddle = seconds - kept.seconds(0) - line.middleSeconds;
    const expected = line.middleMicros + line.ppm * fromMiddle;
    const expectedBound = line.middleBoundMicros + line.boundPpm * fromMiddle + driftWanderPpmMax * since;
    return Math.abs(ahead - expected) > bound + expectedBound;
  }
}

/** @param kept Two samples at least. µs per second are ppm. */
function fitLine(kept: DriftSamples): Line {
  const { count } = kept;
  const first = kept.seconds(0);
  let weights = 0;
  let middleSeconds = 0;
  let middleMicros = 0;
  let middleBoundMicros = 0;
  for (let index = 0; index < count; index += 1) {
    const weight = kept.bound(index) ** -2;
    weights += weight;
    middleSeconds += weight * (kept.seconds(index) - first);
    middleMicros += weight * kept.ahead(index);
    middleBoundMicros += weight * kept.bound(index);
  }
  middleSeconds /= weights;
  middleMicros /= weights;
  middleBoundMicros /= weights;

  let spread = 0;
  let slope = 0;
  for (let index = 0; index < count; index += 1) {
    const fromMiddle = kept.seconds(index) - first - middleSeconds;
    const lever = fromMiddle * kept.bound(index) ** -2;
    spread += lever * fromMiddle;
    slope += lever * (kept.ahead(index) - middleMicros);
  }
  const ppm = slope / spread;

  let boundPpm = 0;
  for (let index = 0; index < count; index += 1) {
    const bound = kept.bound(index);
    const fromMiddle = kept.seconds(index) - first - middleSeconds;
    const residual = Math.abs(kept.ahead(index) - middleMicros - ppm * fromMiddle);
    boundPpm += (Math.abs(fromMiddle) * bound ** -2 * Math.max(bound, residual)) / spread;
  }
  return { middleSeconds, middleMicros, middleBoundMicros, ppm, boundPpm };
}

/** @returns A copy of what a fit knows, 228 bytes, for a small store. */
export function encodeDriftFit(fit: DriftFit): Uint8Array {
  return fit.bytes.slice();
}

/** @returns undefined where the bytes are those of no fit, or of another version. */
export function decodeDriftFit(stored: Uint8Array): DriftFit | undefined {
  const samples = decodeDriftSamples(stored);
  return samples === undefined ? undefined : new DriftFit(samples);
}
