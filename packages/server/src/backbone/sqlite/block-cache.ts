/**
 * Blocks read lately, so that pulls smaller than a block don't read it again and again. Bounded in bytes.
 *
 * A partition numbers the blocks of all its registries in one row, so a number alone may be anybody's block:
 * the registry is part of the name here, and whoever asks is given its own registry's or nothing.
 */
import type { ReadBlock } from "./event-requests.ts";

export const BLOCK_CACHE_BYTES_MAX = 16 * 1024 * 1024;

export class BlockCache {
  readonly #bytesMax: number;
  readonly #blocks = new Map<string, ReadBlock>();
  #bytes = 0;

  constructor(bytesMax = BLOCK_CACHE_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  find(registryKey: string, partition: number, block: number): ReadBlock | undefined {
    const key = `${registryKey}/${partition}/${block}`;
    const found = this.#blocks.get(key);
    if (found === undefined) return undefined;
    this.#blocks.delete(key);
    this.#blocks.set(key, found);
    return found;
  }

  add(registryKey: string, partition: number, read: ReadBlock): void {
    const key = `${registryKey}/${partition}/${read.block}`;
    if (this.#blocks.has(key) || read.data.length > this.#bytesMax) return;
    this.#blocks.set(key, read);
    this.#bytes += read.data.length;
    for (const [oldest, { data }] of this.#blocks) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#blocks.delete(oldest);
      this.#bytes -= data.length;
    }
  }

  /** Retention removes blocks; what is gone must not be delivered from here for long. */
  clear(): void {
    this.#blocks.clear();
    this.#bytes = 0;
  }
}
