/** A clock and timers that move when the test says so, and chance from a seed. */
import type { Clock, Random, Timers } from "@mayfly/core";

export class VirtualTime {
  #nowMillis = 0;
  #timers: { atMillis: number; run: () => void }[] = [];

  readonly clock: Clock = {
    monotonicMillis: () => this.#nowMillis,
    wallSeconds: () => 1_800_000_000 + this.#nowMillis / 1000,
  };

  readonly timers: Timers = {
    after: (delayMillis, run) => {
      const timer = { atMillis: this.#nowMillis + delayMillis, run };
      this.#timers.push(timer);
      return () => {
        this.#timers = this.#timers.filter((one) => one !== timer);
      };
    },
  };

  get nowMs(): number {
    return this.clock.wallSeconds() * 1000;
  }

  /** Runs what falls due within the next `millis`, in order. */
  advance(millis: number): void {
    const end = this.#nowMillis + millis;
    for (;;) {
      const due = this.#timers
        .filter((timer) => timer.atMillis <= end)
        .sort((a, b) => a.atMillis - b.atMillis)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#nowMillis = Math.max(this.#nowMillis, due.atMillis);
      due.run();
    }
    this.#nowMillis = end;
  }
}

/** SplitMix32: the same bytes for the same seed. */
export function seededRandom(seed: number): Random {
  let state = seed;
  const next = (): number => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) & 0xff;
  };
  return {
    fill(bytes) {
      for (let index = 0; index < bytes.length; index += 1) bytes[index] = next();
      return bytes;
    },
  };
}
