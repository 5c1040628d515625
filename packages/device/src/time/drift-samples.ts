/**
 * Drift samples: what a drift is fitted from, kept in the very bytes that are stored.
 *
 * At most {@link driftSamplesMax} of them, {@link driftSpacingSeconds} apart: a week and a day. The newest is provisional
 * until it is so far from the one before it, and a newer one takes its place, so that any pace of sampling gives the same
 * span. Coldest and warmest of a place outlive what is replaced there.
 *
 * Left to others: what is a sample and what an outlier (`drift-fit.ts`).
 */

export const driftSamplesMax = 16;
export const driftSpacingSeconds = 12 * 3_600;
/** A sample as rough as this is no use. */
export const driftBoundMicrosMax = 60_000_000;

/** Version, samples kept, outliers in a row, 0; then the samples, oldest first. */
const headBytes = 4;
const version = 1;
/** Seconds since 2000 u32, µs ahead i32, bound µs u32, coldest and warmest °C i8, all big-endian. */
const sampleBytes = 14;
export const driftSamplesBytes = headBytes + driftSamplesMax * sampleBytes;

export class DriftSamples {
  /** {@link driftSamplesBytes}; whoever stores them copies them. */
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  /** @param stored What {@link decodeDriftSamples} found whole. */
  constructor(stored = new Uint8Array(driftSamplesBytes)) {
    this.bytes = stored;
    this.bytes[0] = version;
    this.#view = new DataView(stored.buffer, stored.byteOffset, driftSamplesBytes);
  }

  get count(): number {
    return this.bytes[1] ?? 0;
  }

  /** Since the last sample kept; 0 to 255. */
  get outliersInARow(): number {
    return this.bytes[2] ?? 0;
  }

  set outliersInARow(count: number) {
    this.bytes[2] = count;
  }

  clear(): void {
    this.bytes.fill(0, 1);
  }

  /**
   * @param seconds Since 2000-01-01, whole, later than the last.
   * @param ahead Clock less reference, whole µs, 32 bits with sign.
   * @param bound Of that, whole µs.
   */
  keep(seconds: number, ahead: number, bound: number, temperatureC: number): void {
    let { count } = this;
    let coldest = Math.max(-128, Math.min(127, Math.round(temperatureC)));
    let warmest = coldest;
    const isLastProvisional =
      count >= 2 && this.seconds(count - 1) - this.seconds(count - 2) < driftSpacingSeconds;
    if (isLastProvisional) {
      count -= 1;
      coldest = Math.min(coldest, this.coldest(count));
      warmest = Math.max(warmest, this.warmest(count));
    } else if (count === driftSamplesMax) {
      this.bytes.copyWithin(headBytes, headBytes + sampleBytes);
      count -= 1;
    }
    const place = at(count);
    this.#view.setUint32(place, seconds);
    this.#view.setInt32(place + 4, ahead);
    this.#view.setUint32(place + 8, bound);
    this.#view.setInt8(place + 12, coldest);
    this.#view.setInt8(place + 13, warmest);
    this.bytes[1] = count + 1;
    this.bytes[2] = 0;
  }

  seconds(index: number): number {
    return this.#view.getUint32(at(index));
  }

  ahead(index: number): number {
    return this.#view.getInt32(at(index) + 4);
  }

  bound(index: number): number {
    return this.#view.getUint32(at(index) + 8);
  }

  coldest(index: number): number {
    return this.#view.getInt8(at(index) + 12);
  }

  warmest(index: number): number {
    return this.#view.getInt8(at(index) + 13);
  }
}

const at = (index: number): number => headBytes + index * sampleBytes;

/** @returns A copy in which samples can be kept; undefined where the bytes hold none, or are of another version. */
export function decodeDriftSamples(stored: Uint8Array): DriftSamples | undefined {
  const [storedVersion, count = 0, , reserved] = stored;
  if (stored.length !== driftSamplesBytes || storedVersion !== version) return undefined;
  if (count > driftSamplesMax || reserved !== 0) return undefined;
  const samples = new DriftSamples(stored.slice());
  for (let index = 0; index < count; index += 1) {
    const isWhole =
      (index === 0 || samples.seconds(index) > samples.seconds(index - 1)) &&
      samples.bound(index) >= 1 &&
      samples.bound(index) <= driftBoundMicrosMax &&
      samples.coldest(index) <= samples.warmest(index);
    if (!isWhole) return undefined;
  }
  return samples;
}
