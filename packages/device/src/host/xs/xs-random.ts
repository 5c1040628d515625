/**
 * Randomness on a microcontroller: the secure element's, stretched.
 *
 * The SDK's own generator is keyed once with 16 bytes of the platform's, and the chip needs 20 ms for 32 bytes, while
 * the agent wants its few at once. So the chip's bytes are a key that is used up as it is drawn from: every draw first
 * replaces the key by its hash, so that what was drawn cannot be worked out from what is left in memory (Bernstein,
 * "Fast-key-erasure random-number generators", 2017, with SHA-256 for the cipher). The chip is asked again after
 * {@link drawsPerKey} draws.
 */
import { concatBytes, type Random, type Sha256 } from "@mayfly/core";

/** As much of the secure element's driver as is needed: 32 bytes of the chip's own randomness. */
export interface ChipRandom {
  random(): Promise<Uint8Array>;
}

export const drawsPerKey = 256;
const keyBytes = 32;

/** @throws Rejects with the chip's error when it gives no randomness; nothing else may take its place. */
export async function createXsRandom(chip: ChipRandom, sha256: Sha256): Promise<Random> {
  return new XsRandom(chip, sha256, await chip.random());
}

class XsRandom implements Random {
  readonly #chip: ChipRandom;
  readonly #sha256: Sha256;
  #key: Uint8Array;
  #draws = 0;
  #isAsking = false;

  constructor(chip: ChipRandom, sha256: Sha256, seed: Uint8Array) {
    if (seed.length !== keyBytes) throw new RangeError("the chip gives 32 bytes at a time");
    this.#chip = chip;
    this.#sha256 = sha256;
    this.#key = seed;
  }

  fill(bytes: Uint8Array): Uint8Array {
    const key = this.#key;
    this.#key = this.#block(key, 0);
    for (let at = 0, count = 1; at < bytes.length; at += keyBytes, count++) {
      bytes.set(this.#block(key, count).subarray(0, bytes.length - at), at);
    }
    this.#draws += 1;
    if (this.#draws >= drawsPerKey) this.#askChip();
    return bytes;
  }

  /** @param count 0 to 2^32 - 1. */
  #block(key: Uint8Array, count: number): Uint8Array {
    const label = Uint8Array.of(count >>> 24, count >>> 16, count >>> 8, count);
    return this.#sha256.digest(concatBytes([key, label]));
  }

  /** New bytes are mixed in, never put in place: a chip that errs takes nothing away. */
  #askChip(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#chip.random().then(
      (fresh) => {
        this.#isAsking = false;
        this.#draws = 0;
        this.#key = this.#sha256.digest(concatBytes([this.#key, fresh]));
      },
      () => {
        // The chip is busy or away; the next draw asks again.
        this.#isAsking = false;
      },
    );
  }
}
