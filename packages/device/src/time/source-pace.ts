/**
 * Pace of a source: when it is asked next, and how often in the end.
 *
 * Often at first, when little is known, then ever more rarely; a source that fails is asked less and less often too, but
 * never so rarely that a device waits long for a network that came back.
 *
 * Left to others: the limits a server sets itself (`sntp/poll-limit.ts`).
 */
export const paceMillisMin = 64_000;
/** 68 minutes: in that time a monotonic clock of 100 ppm goes 0.4 s astray. */
export const paceMillisMax = 4_096_000;
/** 17 minutes. */
export const paceFailedMillisMax = 1_024_000;

export class SourcePace {
  /** Monotonic. */
  dueMillis = Number.NEGATIVE_INFINITY;
  #askedMillis = Number.NEGATIVE_INFINITY;
  #intervalMillis = 0;
  #isFailing = false;

  asked(nowMillis: number): void {
    this.#askedMillis = nowMillis;
    this.dueMillis = Number.POSITIVE_INFINITY;
  }

  /** @param restMillis Not sooner than this, where it answered. */
  answered(nowMillis: number, restMillis = 0): void {
    this.#slower("answering", paceMillisMax);
    this.dueMillis = nowMillis + Math.max(restMillis, this.#intervalMillis);
  }

  failed(nowMillis: number): void {
    this.#slower("failing", paceFailedMillisMax);
    this.dueMillis = nowMillis + this.#intervalMillis;
  }

  /** Its word is wanted: at once, but no sooner than {@link paceMillisMin} after it was asked last. */
  hurry(nowMillis: number): void {
    if (this.dueMillis === Number.POSITIVE_INFINITY) return;
    this.dueMillis = Math.min(this.dueMillis, Math.max(nowMillis, this.#askedMillis + paceMillisMin));
  }

  #slower(now: "answering" | "failing", mostMillis: number): void {
    const isFailing = now === "failing";
    this.#intervalMillis =
      isFailing === this.#isFailing && this.#intervalMillis > 0
        ? Math.min(mostMillis, this.#intervalMillis * 2)
        : paceMillisMin;
    this.#isFailing = isFailing;
  }
}
