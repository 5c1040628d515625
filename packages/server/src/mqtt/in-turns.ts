/**
 * In turns: the same deed for many, so many in a turn, so that bytes are read in between.
 *
 * Whoever is asked for twice before its turn is done once. What waits is never more than what there is.
 */
import type { Timers } from "@mayfly/core";

export class InTurns<T> {
  readonly #timers: Timers;
  readonly #perTurnMax: number;
  readonly #deed: (one: T) => void;
  readonly #waiting = new Set<T>();
  #isTurnComing = false;

  constructor(timers: Timers, perTurnMax: number, deed: (one: T) => void) {
    this.#timers = timers;
    this.#perTurnMax = perTurnMax;
    this.#deed = deed;
  }

  add(one: T): void {
    this.#waiting.add(one);
    this.#comeAgain();
  }

  /** Forgets `one`; harmless when it does not wait. */
  delete(one: T): void {
    this.#waiting.delete(one);
  }

  #comeAgain(): void {
    if (this.#isTurnComing || this.#waiting.size === 0) return;
    this.#isTurnComing = true;
    this.#timers.after(0, () => this.#turn());
  }

  #turn(): void {
    this.#isTurnComing = false;
    let left = this.#perTurnMax;
    for (const one of this.#waiting) {
      if (left === 0) break;
      left -= 1;
      this.#waiting.delete(one);
      this.#deed(one);
    }
    this.#comeAgain();
  }
}
