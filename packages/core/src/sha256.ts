/**
 * SHA-256 (FIPS 180-4 §6.2) in plain code, for machines whose platform offers none.
 *
 * Hashing keeps no secret: a token's signing input is public, so nothing here needs constant time. Where the platform
 * has a native one (OpenSSL, the SDK's `Digest`), that one is handed in instead and this module is not carried.
 */
import type { Sha256 } from "./host.ts";

/** Fractional parts of the cube roots of the first 64 primes (FIPS 180-4 §4.2.2). */
// Constant table: read only.
const roundConstants = new Uint32Array([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
]);

const blockBytes = 64;
const hashWords = 8;
/** In a last block, what follows the data: the byte 0x80 and the length in bits. */
const tailBytes = 9;

/** @returns A hasher that reuses its 160 bytes of working space; one at a time, as everything on a device. */
export function createSha256(): Sha256 {
  return new PlainSha256();
}

class PlainSha256 implements Sha256 {
  /** The hash, and after it the last 16 words of the schedule. */
  readonly #words = new Uint32Array(hashWords + 16);
  readonly #last = new Uint8Array(blockBytes);

  digest(bytes: Uint8Array): Uint8Array {
    const words = this.#words;
    const last = this.#last;
    start(words);
    const whole = bytes.length - (bytes.length % blockBytes);
    for (let at = 0; at < whole; at += blockBytes) compress(words, bytes, at);

    // FIPS 180-4 §5.1.1: 0x80, zeros, and the length in bits at the end of a block.
    last.fill(0);
    for (let at = whole; at < bytes.length; at++) last[at - whole] = bytes[at] ?? 0;
    last[bytes.length - whole] = 0x80;
    if (bytes.length - whole > blockBytes - tailBytes) {
      compress(words, last, 0);
      last.fill(0);
    }
    setWord(last, 56, Math.floor(bytes.length / 2 ** 29));
    setWord(last, 60, bytes.length << 3);
    compress(words, last, 0);

    const digest = new Uint8Array(4 * hashWords);
    for (let i = 0; i < hashWords; i++) setWord(digest, 4 * i, words[i] ?? 0);
    return digest;
  }
}

function start(hash: Uint32Array): void {
  // Fractional parts of the square roots of the first 8 primes (FIPS 180-4 §5.3.3).
  hash[0] = 0x6a09e667;
  hash[1] = 0xbb67ae85;
  hash[2] = 0x3c6ef372;
  hash[3] = 0xa54ff53a;
  hash[4] = 0x510e527f;
  hash[5] = 0x9b05688c;
  hash[6] = 0x1f83d9ab;
  hash[7] = 0x5be0cd19;
}

/** One block of 64 bytes (FIPS 180-4 §6.2.2). The schedule keeps the last 16 words: older ones are never read again. */
function compress(hash: Uint32Array, bytes: Uint8Array, at: number): void {
  let a = word(hash, 0);
  let b = word(hash, 1);
  let c = word(hash, 2);
  let d = word(hash, 3);
  let e = word(hash, 4);
  let f = word(hash, 5);
  let g = word(hash, 6);
  let h = word(hash, 7);
  for (let t = 0; t < 64; t++) {
    const w = t < 16 ? readWord(bytes, at + 4 * t) : nextWord(hash, t);
    hash[hashWords + (t & 15)] = w;
    const sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const t1 = (h + sum1 + ((e & f) ^ (~e & g)) + word(roundConstants, t) + w) | 0;
    const sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const t2 = (sum0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  hash[0] = word(hash, 0) + a;
  hash[1] = word(hash, 1) + b;
  hash[2] = word(hash, 2) + c;
  hash[3] = word(hash, 3) + d;
  hash[4] = word(hash, 4) + e;
  hash[5] = word(hash, 5) + f;
  hash[6] = word(hash, 6) + g;
  hash[7] = word(hash, 7) + h;
}

function nextWord(words: Uint32Array, t: number): number {
  const w15 = scheduled(words, t - 15);
  const w2 = scheduled(words, t - 2);
  const sigma0 = rotate(w15, 7) ^ rotate(w15, 18) ^ (w15 >>> 3);
  const sigma1 = rotate(w2, 17) ^ rotate(w2, 19) ^ (w2 >>> 10);
  return (scheduled(words, t) + sigma0 + scheduled(words, t - 7) + sigma1) | 0;
}

function scheduled(words: Uint32Array, t: number): number {
  return words[hashWords + (t & 15)] ?? 0;
}

function word(words: Uint32Array, at: number): number {
  return words[at] ?? 0;
}

function rotate(value: number, by: number): number {
  return (value >>> by) | (value << (32 - by));
}

function readWord(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) << 24) |
    ((bytes[at + 1] ?? 0) << 16) |
    ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)
  );
}

function setWord(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
