/**
 * Choices from a seed: the same seed, the same run, whatever the machine.
 *
 * mulberry32: 32 bits of state, good enough to pick plays with, and nobody's secret.
 */

export class Choice {
  #state: number;

  constructor(seed: number) {
    // Neighbouring seeds shall begin far apart.
    this.#state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
  }

  /** @returns 0 to below `bound`, whole. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let bits = this.#state;
    bits = Math.imul(bits ^ (bits >>> 15), bits | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return Math.floor((((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32) * bound);
  }

  /** @returns true so many times in a hundred. */
  percent(times: number): boolean {
    return this.below(100) < times;
  }

  /** @throws {RangeError} there is nothing to choose. */
  of<T>(things: readonly T[]): T {
    const chosen = things[this.below(things.length)];
    if (chosen === undefined) throw new RangeError("nothing to choose from");
    return chosen;
  }

  fill(bytes: Uint8Array): Uint8Array {
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.below(256);
    return bytes;
  }
}
