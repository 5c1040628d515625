/**
 * RTC ledger: what the clock chip showed when the time was last known, and what time it is by that.
 *
 * The chip runs freely; how far it was ahead at the last comparison is written down, so that it need hardly ever be set,
 * and every comparison tells its drift. Its time is what it shows, less what it was ahead, less what it has drifted
 * since; the bound is that of the comparison, and grows by what is not known of the drift. A chip without a record shows
 * a time, but nobody knows whose.
 *
 * Left to others: reading and setting the chip (`rtc-keeper.ts`), the fit (`drift-fit.ts`), the bytes (`clock-value.ts`).
 */
import type { NumericDate } from "@mayfly/core";
import { type DriftEstimate, DriftFit } from "./drift-fit.ts";
import type { TimeSample } from "./time-sample.ts";
import type { Basis } from "./trust-rules.ts";

/** A DS3231M over all its temperatures; also what is assumed of a DS3231 until its drift is fitted. */
export const rtcPpmDefault = 5;
/** A fit is no better than this: what a DS3231 may do between 0 and 40 °C (datasheet), whatever it did while fitted. */
export const fittedPpmMin = 2;
/** More is no DS3231: a counterfeit, a plain crystal, or an aging offset that somebody wrote. */
export const alertPpm = 10;
/** Further ahead or behind than this, the chip is set, since other programs read it too; but not before its drift is fitted. */
export const aheadSecondsMax = 1;
/** So far off it is set at once: that is nobody's drift. */
export const astraySecondsMax = 60;

export interface RtcRecord {
  /** The true time of the comparison, and how far the chip was ahead then. */
  readonly refSeconds: NumericDate;
  readonly aheadSeconds: number;
  /** How wrong that difference may be. */
  readonly boundSeconds: number;
  readonly basis: Basis;
}

/** Positive: fast. The true drift is within `ppm` ± `boundPpm`. */
export interface RtcRate {
  readonly ppm: number;
  readonly boundPpm: number;
}

/** What outlives a restart. */
export interface RtcLedgerState {
  readonly record: RtcRecord | undefined;
  /** Fitted once; survives setting and trimming, which begin a new fit. */
  readonly rate: RtcRate | undefined;
  readonly trimmedSeconds: NumericDate | undefined;
  readonly fit: DriftFit;
}

export class RtcLedger implements RtcLedgerState {
  record: RtcRecord | undefined;
  rate: RtcRate | undefined;
  trimmedSeconds: NumericDate | undefined;
  readonly fit: DriftFit;
  readonly #ppmBound: number;

  constructor(ppmBound: number, kept?: RtcLedgerState) {
    this.#ppmBound = ppmBound;
    this.record = kept?.record;
    this.rate = kept?.rate;
    this.trimmedSeconds = kept?.trimmedSeconds;
    this.fit = kept?.fit ?? new DriftFit();
  }

  get rateInForce(): RtcRate {
    return this.rate ?? { ppm: 0, boundPpm: this.#ppmBound };
  }

  /** Surely worse than any DS3231. */
  get isDriftAlarming(): boolean {
    const { ppm, boundPpm } = this.rateInForce;
    return Math.abs(ppm) - boundPpm > alertPpm;
  }

  /** @returns The time by what the chip shows; undefined without a record, or before it. */
  timeOf(shown: TimeSample): TimeSample | undefined {
    const { record } = this;
    if (record === undefined) return undefined;
    const { ppm, boundPpm } = this.rateInForce;
    const seconds = shown.seconds - record.aheadSeconds;
    const age = seconds - record.refSeconds;
    const boundSeconds = record.boundSeconds + shown.boundSeconds;
    if (age < -boundSeconds) return undefined;
    const drifting = Math.max(0, age) * 1e-6;
    return {
      atMillis: shown.atMillis,
      seconds: seconds - ppm * drifting,
      boundSeconds: boundSeconds + boundPpm * drifting,
    };
  }

  /**
   * The chip showed this when a source had the time.
   *
   * @param reference Of the source itself, at the instant of `shown`: a time that came from this chip would teach nothing.
   */
  compared(shown: TimeSample, reference: TimeSample, basis: Basis, temperatureC: number): void {
    const aheadSeconds = shown.seconds - reference.seconds;
    const boundSeconds = shown.boundSeconds + reference.boundSeconds;
    const byRecord = this.timeOf(shown);
    const isContradicted =
      byRecord !== undefined &&
      Math.abs(byRecord.seconds - reference.seconds) > byRecord.boundSeconds + reference.boundSeconds;
    const isSharper = byRecord === undefined || boundSeconds <= byRecord.boundSeconds;
    if (isSharper || isContradicted) {
      this.record = { refSeconds: reference.seconds, aheadSeconds, boundSeconds, basis };
    } else if (this.record !== undefined && basis !== this.record.basis) {
      this.record = { ...this.record, basis };
    }
    this.fit.add({ refSeconds: reference.seconds, aheadSeconds, boundSeconds, temperatureC });
    this.rate = rateOf(this.fit.estimate(), this.#ppmBound) ?? this.rate;
  }

  /** Is it far enough ahead, or behind, to be set? Setting it begins the fit anew. */
  isAstray(aheadSeconds: number): boolean {
    const ahead = Math.abs(aheadSeconds);
    return ahead > astraySecondsMax || (ahead > aheadSecondsMax && this.fit.estimate() !== undefined);
  }

  /**
   * The chip is about to be set to `good`, or not, if power fails now: the record is true of both.
   *
   * @param shown What it shows now; undefined where that is nothing, or nobody's time.
   */
  widen(good: TimeSample, shown: TimeSample | undefined, basis: Basis): void {
    const ahead = shown === undefined ? 0 : shown.seconds - good.seconds;
    // Setting takes until a whole second, and is late by milliseconds.
    const boundSeconds = Math.abs(ahead) + good.boundSeconds + (shown?.boundSeconds ?? 0) + 0.1;
    this.record = { refSeconds: good.seconds, aheadSeconds: 0, boundSeconds, basis };
  }

  /** The chip was set: its seconds, and all that was fitted from them, begin anew. Its drift is what it was. */
  wasSet(shown: TimeSample, reference: TimeSample, basis: Basis): void {
    this.record = {
      refSeconds: reference.seconds,
      aheadSeconds: shown.seconds - reference.seconds,
      boundSeconds: shown.boundSeconds + reference.boundSeconds,
      basis,
    };
    this.fit.restart();
  }

  /** The aging offset was changed by so many steps of {@link agingStepPpm} each, more or less. */
  trimmed(driftPpm: number, now: NumericDate): void {
    const { ppm, boundPpm } = this.rateInForce;
    // A step is 0.1 ppm at 25 °C, and somewhat else elsewhere.
    this.rate = { ppm: ppm - driftPpm, boundPpm: boundPpm + Math.abs(driftPpm) / 2 };
    this.trimmedSeconds = now;
    this.fit.restart();
  }

  /** It stopped: what it shows is nobody's time any more. */
  stopped(): void {
    this.record = undefined;
    this.fit.restart();
  }

  /** What it shows cannot be by its record. Perhaps it only drifts by more than was assumed, so the fit goes on. */
  contradicted(): void {
    this.record = undefined;
  }
}

/** The fit's, corrected, where it knows better than the datasheet, or knows the datasheet to be wrong of this chip. */
function rateOf(estimate: DriftEstimate | undefined, ppmBound: number): RtcRate | undefined {
  if (estimate === undefined) return undefined;
  const { ppm } = estimate;
  const boundPpm = Math.max(estimate.boundPpm, fittedPpmMin);
  const isOutsideDatasheet = Math.abs(ppm) - estimate.boundPpm > ppmBound;
  return boundPpm < ppmBound || isOutsideDatasheet ? { ppm, boundPpm } : undefined;
}
