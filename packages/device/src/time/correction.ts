/**
 * Correction: somebody was refused, and a wrong clock may be why; every source is asked once more, within half a minute.
 *
 * Whoever asks while that is under way gets the same answer: sources are asked once, not once for each.
 *
 * Left to others: asking (`time-keeper.ts`), and what a hint may move (`trust-rules.ts`).
 */
import type { CancelTimer, Timers } from "@mayfly/core";
import type { TimeHint } from "../ports.ts";
import type { ReadyOrNot } from "./believed-time.ts";
import type { TimeSample } from "./time-sample.ts";

export const correctionMillisMax = 29_000;
/** Who asks beyond that is answered `unchanged`. */
export const correctionAskersMax = 8;
/** What a bridge's clock may be off beside the way of its word; a healthy one is far better. */
export const hintBoundSeconds = 0.5;
/** A change of less makes no token good that was refused. */
export const correctedSecondsMin = 0.1;

export type CorrectionOutcome = "corrected" | "unchanged";
type Settle = (outcome: CorrectionOutcome) => void;

export class Correction {
  readonly #timers: Timers;
  #askers: Settle[] = [];
  #cancel: CancelTimer | undefined;
  #conclude: (() => CorrectionOutcome) | undefined;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  get isUnderWay(): boolean {
    return this.#conclude !== undefined;
  }

  /** @returns Whether it has begun with this asker, and so `conclude` is its. */
  begin(settle: Settle, conclude: () => CorrectionOutcome): boolean {
    if (this.#askers.length === correctionAskersMax) {
      this.#timers.after(0, () => settle("unchanged"));
      return false;
    }
    this.#askers.push(settle);
    if (this.isUnderWay) return false;
    this.#conclude = conclude;
    this.#cancel = this.#timers.after(correctionMillisMax, () => this.end());
    return true;
  }

  /** Every source was heard, or the time is up. */
  end(): void {
    const askers = this.#askers;
    const outcome = this.#conclude?.() ?? "unchanged";
    this.#askers = [];
    this.#conclude = undefined;
    this.#cancel?.();
    this.#cancel = undefined;
    for (const settle of askers) settle(outcome);
  }
}

/** The bridge wrote its time somewhere between the two instants. */
export function hintSample({ serverTime, sentMillis, receivedMillis }: TimeHint): TimeSample {
  return {
    atMillis: (sentMillis + receivedMillis) / 2,
    seconds: serverTime,
    boundSeconds: Math.max(0, receivedMillis - sentMillis) / 2_000 + hintBoundSeconds,
  };
}

/** @param elapsedSeconds From `before` to `after`. */
export function outcomeOf(before: ReadyOrNot, after: ReadyOrNot, elapsedSeconds: number): CorrectionOutcome {
  if (before.kind === "waiting" || after.kind === "waiting")
    return before.kind === after.kind ? "unchanged" : "corrected";
  const moved = Math.abs(after.now - before.now - elapsedSeconds);
  const widened = Math.abs(after.uncertaintySeconds - before.uncertaintySeconds);
  return Math.max(moved, widened) >= correctedSecondsMin ? "corrected" : "unchanged";
}
