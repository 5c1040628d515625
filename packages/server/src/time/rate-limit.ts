/**
 * Rate limit: a bucket for each source and one for all, each filling at a steady rate.
 *
 * What one source asks beyond its share takes nothing from the others. The sources remembered are bounded; one that
 * was forgotten begins with a full bucket, so what many forged addresses can have is what the bucket of all holds.
 */
import type { Clock } from "@mayfly/core";
import { BoundedMap } from "../auth/bounded-map.ts";
import { sourceNetwork } from "./source-network.ts";

export interface RateBounds {
  /** At once, after a rest. */
  readonly burst: number;
  readonly perSecond: number;
}

export interface RateLimitOptions {
  readonly source: RateBounds;
  readonly all: RateBounds;
  /** Sources remembered; about 150 bytes each. */
  readonly sourcesMax: number;
}

interface Bucket {
  level: number;
  atMillis: number;
}

export class RateLimit {
  readonly #clock: Pick<Clock, "monotonicMillis">;
  readonly #options: RateLimitOptions;
  readonly #sources: BoundedMap<string, Bucket>;
  readonly #all: Bucket;

  constructor(clock: Pick<Clock, "monotonicMillis">, options: RateLimitOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#sources = new BoundedMap(options.sourcesMax);
    this.#all = { level: options.all.burst, atMillis: clock.monotonicMillis() };
  }

  /** How many sources are remembered. */
  get size(): number {
    return this.#sources.size;
  }

  /** @param address Of the peer. @returns May it have one more? If so, it is counted. */
  take(address: string): boolean {
    const { source, all } = this.#options;
    const nowMillis = this.#clock.monotonicMillis();
    const network = sourceNetwork(address);
    let bucket = this.#sources.find(network);
    if (bucket === undefined) {
      bucket = { level: source.burst, atMillis: nowMillis };
      this.#sources.set(network, bucket);
    }
    fill(bucket, source, nowMillis);
    fill(this.#all, all, nowMillis);
    if (bucket.level < 1 || this.#all.level < 1) return false;
    bucket.level -= 1;
    this.#all.level -= 1;
    return true;
  }
}

function fill(bucket: Bucket, { burst, perSecond }: RateBounds, nowMillis: number): void {
  bucket.level = Math.min(burst, bucket.level + ((nowMillis - bucket.atMillis) * perSecond) / 1000);
  bucket.atMillis = nowMillis;
}
