/**
 * RTC keeper: reads the clock chip, compares it when a source has the time, sets it where it must be, trims it where that
 * is wanted.
 *
 * OSF is cleared by setting, and the chip is set only to a time that a signature or a majority vouches for. Before it is
 * set, the store holds a record that is true of the chip before and after: power may fail between.
 *
 * Left to others: the chip's registers (`ds3231/ds3231.ts`), what its time is worth (`believed-time.ts`), and when the
 * store may be written (`time-keeper.ts`).
 */
import { agingStepPpm, decideAging } from "./aging-discipline.ts";
import { carried } from "./carried-sample.ts";
import type { Ds3231AgingAnswer, Ds3231Reading, Ds3231SetAnswer } from "./ds3231/ds3231.ts";
import type { RtcLedger } from "./rtc-ledger.ts";
import type { TimeSample } from "./time-sample.ts";
import type { RtcStatus } from "./time-status.ts";
import type { Basis } from "./trust-rules.ts";

/** A clock chip; `Ds3231` is one. Nothing rejects, and each answer comes within seconds. */
export interface ClockChip {
  readPhase(): Promise<Ds3231Reading>;
  set(good: TimeSample): Promise<Ds3231SetAnswer>;
  setAging(aging: number): Promise<Ds3231AgingAnswer>;
}

export type RtcState =
  | "not_read"
  /** It tells the time. */
  | "good"
  /** It runs, and nobody knows what it was set by. */
  | "no_record"
  /** OSF: it stopped since it was set. */
  | "stopped"
  /** The bus or the chip gave no time. */
  | "unusable"
  /** It contradicted the monotonic clock twice within a day, and is left alone for a day. */
  | "aside";

/** The time, as a source that may set a chip has it. */
export interface Reference {
  readonly sample: TimeSample;
  readonly basis: Basis;
}

export type RtcNews =
  | { readonly kind: "time"; readonly sample: TimeSample; readonly basis: Basis }
  /** It had the time, and has stopped since. */
  | { readonly kind: "lost" }
  | { readonly kind: "none" };

export const asideMillis = 24 * 3_600_000;

export class RtcKeeper {
  readonly #chip: ClockChip;
  readonly ledger: RtcLedger;
  readonly #aging: "on" | "off";
  readonly #monotonicPpm: number;
  #last: Extract<Ds3231Reading, { kind: "read" }> | undefined;
  #contradictedMillis = Number.NEGATIVE_INFINITY;
  state: RtcState = "not_read";
  /** Why it is unusable. */
  trouble: string | undefined;
  asideUntilMillis = Number.NEGATIVE_INFINITY;
  /** It shows no time, or one too far off, and there was a reference to say so. */
  isSetWanted = false;

  constructor(
    chip: ClockChip,
    ledger: RtcLedger,
    settings: { readonly aging: "on" | "off"; readonly monotonicPpm: number },
  ) {
    this.#chip = chip;
    this.ledger = ledger;
    this.#aging = settings.aging;
    this.#monotonicPpm = settings.monotonicPpm;
  }

  get status(): RtcStatus {
    const { ppm, boundPpm } = this.ledger.rateInForce;
    const last = this.#last;
    return {
      state: this.state,
      driftPpm: ppm,
      driftBoundPpm: boundPpm,
      ...(this.trouble === undefined ? undefined : { trouble: this.trouble }),
      ...(last === undefined ? undefined : { temperatureC: last.temperatureC, aging: last.aging }),
    };
  }

  /** Reads the chip. @param reference What it is compared with, where a source just had the time. */
  async attend(reference: Reference | undefined): Promise<RtcNews> {
    const reading = await this.#chip.readPhase();
    if (reading.kind === "unusable") {
      this.#last = undefined;
      this.state = "unusable";
      this.trouble = reading.because;
      // What answers, and shows no time, may be mended by setting it.
      const isMendable = reading.because === "no_clock" || reading.because === "standing_still";
      this.isSetWanted ||= reference !== undefined && isMendable;
      return { kind: "none" };
    }
    this.#last = reading;
    this.trouble = undefined;
    if (reading.isOscillatorStopped) {
      const had = this.ledger.record !== undefined;
      this.ledger.stopped();
      this.state = "stopped";
      this.isSetWanted ||= reference !== undefined;
      return had ? { kind: "lost" } : { kind: "none" };
    }
    if (reference !== undefined) this.#compare(reading, reference);
    const sample = this.ledger.timeOf(reading.sample);
    const basis = this.ledger.record?.basis;
    if (sample === undefined || basis === undefined) {
      this.state = "no_record";
      return { kind: "none" };
    }
    this.state = "good";
    return { kind: "time", sample, basis };
  }

  /** Before it is set: what the store has to hold. */
  prepareSet(good: Reference): void {
    const shown = this.#last;
    const isTime = shown !== undefined && !shown.isOscillatorStopped;
    this.ledger.widen(good.sample, isTime ? this.#at(shown.sample, good.sample) : undefined, good.basis);
  }

  async set(good: Reference): Promise<void> {
    const answer = await this.#chip.set(good.sample);
    if (answer.kind === "unusable") {
      this.state = "unusable";
      this.trouble = answer.because;
      // Tried again at the next reference, not before.
      this.isSetWanted = false;
      this.ledger.stopped();
      return;
    }
    this.isSetWanted = false;
    this.state = "good";
    this.trouble = undefined;
    this.ledger.wasSet(answer.sample, this.#at(good.sample, answer.sample), good.basis);
  }

  /** Trims the aging offset where that is switched on and due. */
  async trim(now: number): Promise<void> {
    const last = this.#last;
    if (last === undefined || last.isOscillatorStopped) return;
    const { trimmedSeconds, fit } = this.ledger;
    const { aging } = last;
    const decision = decideAging(this.#aging, { aging, now, trimmedSeconds, drift: fit.estimate() });
    if (decision.kind !== "trim") return;
    const answer = await this.#chip.setAging(decision.to);
    if (answer.kind === "unusable") return;
    this.ledger.trimmed((decision.to - decision.from) * agingStepPpm, now);
    this.#last = { ...last, aging: decision.to };
  }

  /** What it showed cannot be, if the monotonic clock is right; so its record is worth nothing. */
  contradicted(nowMillis: number): void {
    this.ledger.contradicted();
    this.state = "no_record";
    if (nowMillis - this.#contradictedMillis < asideMillis) {
      this.state = "aside";
      this.asideUntilMillis = nowMillis + asideMillis;
    }
    this.#contradictedMillis = nowMillis;
  }

  #compare(reading: Extract<Ds3231Reading, { kind: "read" }>, { sample, basis }: Reference): void {
    const reference = this.#at(sample, reading.sample);
    this.ledger.compared(reading.sample, reference, basis, reading.temperatureC);
    this.isSetWanted ||= this.ledger.isAstray(reading.sample.seconds - reference.seconds);
  }

  #at(sample: TimeSample, { atMillis }: TimeSample): TimeSample {
    return carried(sample, atMillis, this.#monotonicPpm);
  }
}
