/**
 * Gap meter: how long a credential has kept messages from being sent, the figure we promise to hold at 0.
 *
 * Left to others: judging whose doing a silence is (`agent.ts`).
 */
export class GapMeter {
  #fromMillis: number | undefined;
  #longestMillis = 0;

  get isOpen(): boolean {
    return this.#fromMillis !== undefined;
  }

  get longestMillis(): number {
    return this.#longestMillis;
  }

  /** Nothing can be sent from now on; a gap that is open goes on. */
  open(nowMillis: number): void {
    this.#fromMillis ??= nowMillis;
  }

  /** @returns The gap's length, 0 when none was open. */
  close(nowMillis: number): number {
    const gapMillis = this.#fromMillis === undefined ? 0 : nowMillis - this.#fromMillis;
    this.#fromMillis = undefined;
    this.#longestMillis = Math.max(this.#longestMillis, gapMillis);
    return gapMillis;
  }

  /** The agent ends: what is open was nobody's. */
  forget(): void {
    this.#fromMillis = undefined;
  }
}
