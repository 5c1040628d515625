/**
 * Reconnect backoff: truncated exponential with full jitter.
 *
 * The wait is drawn evenly from 0 to the ceiling, which doubles with each failure, so that a fleet cut off
 * together comes back spread out. A connection must have held for a while before the count starts anew:
 * a bridge that accepts and drops us at once is not hammered.
 */
import type { Random } from "@mayfly/core";
import { drawShare } from "../token/renewal.ts";

export const backoffFirstMillis = 1_000;
export const backoffMillisMax = 64_000;
/** Where trying again is unlikely to help soon. */
export const waitMillisMin = 60_000;
export const waitMillisMax = 600_000;
/** Never less, whatever the draw. */
export const backoffMillisMin = 50;
/** A connection that held this long counts as stable. */
export const stableMillis = 30_000;

export class Backoff {
  readonly #random: Random;
  #failures = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  get failures(): number {
    return this.#failures;
  }

  /** Counts a failure. @returns Milliseconds to wait before the next try. */
  next(): number {
    const ceiling = Math.min(backoffMillisMax, backoffFirstMillis * 2 ** this.#failures);
    // 2^7 s is past the truncation; counting on would end in an overflow.
    this.#failures = Math.min(this.#failures + 1, 7);
    return Math.max(backoffMillisMin, drawShare(this.#random) * ceiling);
  }

  /** Counts a failure that only someone else can mend. @returns 1 to 10 minutes. */
  nextSeldom(): number {
    this.#failures = 7;
    return waitMillisMin + drawShare(this.#random) * (waitMillisMax - waitMillisMin);
  }

  /** @param heldMillis How long the connection that just ended had been accepted. */
  connectionEnded(heldMillis: number): void {
    if (heldMillis >= stableMillis) this.#failures = 0;
  }
}
