/**
 * Reproducible chance: sfc32 (Chris Doty-Humphrey's PractRand), seeded from text by FNV-1a.
 *
 * One seed makes as many independent streams as there are names, so that a new consumer of chance does not
 * shift what the others draw. Not for secrets.
 */
import { type Random, utf8Encode } from "@mayfly/core";

export interface SeededRandom extends Random {
  /** @returns Evenly drawn from [0, 1), 32 bits of it. */
  share(): number;
  /** @returns A whole number, evenly drawn from `least` to `most`, both included. */
  between(least: number, most: number): number;
}

export function createRandom(seed: string): SeededRandom {
  let a = fnv1a(seed, 0x811c9dc5);
  let b = fnv1a(seed, 0x01000193);
  let c = fnv1a(seed, 0x9e3779b9);
  let counter = 1;

  function next(): number {
    const t = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    c |= 0;
    return t >>> 0;
  }
  // The first outputs still show the seed.
  for (let i = 0; i < 12; i++) next();

  const share = (): number => next() / 2 ** 32;
  return {
    fill(bytes) {
      for (let i = 0; i < bytes.length; i++) bytes[i] = next() >>> 24;
      return bytes;
    },
    share,
    between: (least, most) => least + Math.floor(share() * (most - least + 1)),
  };
}

function fnv1a(text: string, basis: number): number {
  let hash = basis | 0;
  for (const byte of utf8Encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}
