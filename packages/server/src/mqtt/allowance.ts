/**
 * Allowance: so many at once, then so many a second.
 *
 * It keeps only the instant at which it will be whole again: a full one lies in the past, an empty one as far ahead
 * as all of it takes to refill.
 */
export class Allowance {
  readonly #intervalMillis: number;
  readonly #spanMillis: number;
  #wholeMillis = Number.NEGATIVE_INFINITY;

  constructor(atOnce: number, perSecond: number) {
    this.#intervalMillis = 1000 / perSecond;
    this.#spanMillis = atOnce * this.#intervalMillis;
  }

  /** Is there one left? */
  has(nowMillis: number): boolean {
    return Math.max(this.#wholeMillis, nowMillis) + this.#intervalMillis <= nowMillis + this.#spanMillis;
  }

  /** @returns whether there was one to take. */
  take(nowMillis: number): boolean {
    if (!this.has(nowMillis)) return false;
    this.#wholeMillis = Math.max(this.#wholeMillis, nowMillis) + this.#intervalMillis;
    return true;
  }
}
