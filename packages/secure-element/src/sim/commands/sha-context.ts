/**
 * The SHA-256 state a host may read out and put back: byte count (4, little-endian), the eight chaining words (each
 * little-endian), and the bytes of the unfinished block; 36 to 99 bytes.
 *
 * Up to 63 bytes in, the chaining words are SHA-256's initial ones, and a context is exactly what a chip gives. Later
 * no platform library shows them. What stands in their place then is a tag for a state kept inside the simulator:
 * good for reading out and putting back into the same simulated chip, {@link SAVED_HASHES_MAX} contexts deep.
 */

import type { ChipCore } from "../chip-core.ts";
import { SAVED_HASHES_MAX } from "../chip-core.ts";
import type { RunningSha256 } from "../sim-crypto.ts";
import type { RunningDigest } from "../volatile-state.ts";

const HEAD_BYTES = 36;
const BLOCK_BYTES = 64;

/** SHA-256's initial hash value (FIPS 180-4 §5.3.3), each word low byte first. */
const initialWords = (): readonly number[] => [
  0x67, 0xe6, 0x09, 0x6a, 0x85, 0xae, 0x67, 0xbb, 0x72, 0xf3, 0x6e, 0x3c, 0x3a, 0xf5, 0x4f, 0xa5, 0x7f, 0x52,
  0x0e, 0x51, 0x8c, 0x68, 0x05, 0x9b, 0xab, 0xd9, 0x83, 0x1f, 0x19, 0xcd, 0xe0, 0x5b,
];

export function saveContext(core: ChipCore, digest: RunningDigest): Uint8Array {
  const context = new Uint8Array(HEAD_BYTES + digest.partial.length);
  for (let index = 0; index < 4; index += 1)
    context[index] = Math.floor(digest.byteCount / 256 ** index) & 0xff;
  context.set(digest.byteCount < BLOCK_BYTES ? initialWords() : keep(core, digest.hash), 4);
  context.set(digest.partial, HEAD_BYTES);
  return context;
}

/** @returns undefined where the bytes are no context of this chip. */
export function restoreContext(core: ChipCore, context: Uint8Array): RunningDigest | undefined {
  if (context.length < HEAD_BYTES || context.length >= HEAD_BYTES + BLOCK_BYTES) return undefined;
  let byteCount = 0;
  for (let index = 3; index >= 0; index -= 1) byteCount = byteCount * 256 + (context[index] ?? 0);
  const partial = context.slice(HEAD_BYTES);
  if (byteCount % BLOCK_BYTES !== partial.length) return undefined;

  if (byteCount < BLOCK_BYTES) {
    const hash = core.crypto.startSha256();
    hash.update(partial);
    return { hash, byteCount, partial, outerBlock: undefined };
  }
  const tag = context.subarray(4, HEAD_BYTES);
  const kept = core.savedHashes.find((saved) => saved.tag.every((byte, index) => byte === tag[index]));
  return kept === undefined
    ? undefined
    : { hash: kept.hash.copy(), byteCount, partial, outerBlock: undefined };
}

/** @returns A tag: the digest so far, which nobody mistakes for another state's. */
function keep(core: ChipCore, hash: RunningSha256): Uint8Array {
  const tag = hash.copy().digest();
  core.savedHashes.push({ tag, hash: hash.copy() });
  if (core.savedHashes.length > SAVED_HASHES_MAX) core.savedHashes.shift();
  return tag;
}
