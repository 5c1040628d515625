/**
 * One timer: what is to happen next, and only that; setting it again replaces it.
 */
import type { CancelTimer, Timers } from "@mayfly/core";

export class OneTimer {
  readonly #timers: Timers;
  #cancel: CancelTimer | undefined;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  set(delayMillis: number, run: () => void): void {
    this.clear();
    this.#cancel = this.#timers.after(delayMillis, () => {
      this.#cancel = undefined;
      run();
    });
  }

  clear(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
