/**
 * Where the chip's random numbers come from: the host, or a seed that replays a run byte for byte.
 *
 * A seeded stream is SHA-256 over (label, seed, counter): slow and dull, and the same everywhere. The chip's own
 * numbers and the faults draw from differently labelled streams, so that turning a fault on does not change which
 * keys and signatures come out.
 */

import type { SimCrypto } from "./sim-crypto.ts";
import { sha256Of } from "./sim-crypto.ts";

export interface SimRandom {
  bytes(length: number): Uint8Array;
}

const asciiBytes = (text: string): Uint8Array => Uint8Array.from(text, (c) => (c.codePointAt(0) ?? 0) & 0x7f);

/** The host's randomness. */
export function hostRandom(crypto: SimCrypto): SimRandom {
  return { bytes: (length) => crypto.randomBytes(length) };
}

/**
 * A stream that is the same for the same seed and label.
 * @param seed 0 to 2^53 - 1. @param label ASCII; streams with different labels are unrelated.
 */
export function seededRandom(crypto: SimCrypto, seed: number, label: string): SimRandom {
  const prefix = asciiBytes(`mayfly chip sim/${label}/${String(seed)}/`);
  let block = new Uint8Array(0);
  let used = 0;
  let counter = 0;
  const nextByte = (): number => {
    if (used >= block.length) {
      block = Uint8Array.from(sha256Of(crypto, [prefix, asciiBytes(String(counter))]));
      counter += 1;
      used = 0;
    }
    const value = block[used] ?? 0;
    used += 1;
    return value;
  };
  return { bytes: (length) => Uint8Array.from({ length }, nextByte) };
}

/** A number in [0, 1), with 32 bits of grain. */
export function unitInterval(random: SimRandom): number {
  const bytes = random.bytes(4);
  let value = 0;
  for (const byte of bytes) value = value * 256 + byte;
  return value / 2 ** 32;
}
