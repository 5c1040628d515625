/**
 * Byte ring: a queue of bytes in one array, whose places are counted from the first byte ever put in.
 *
 * A place never means another byte later, so that who remembers one needs no index; where it lies in the array is
 * the remainder. A run may go round the end; it is put in two pieces and read as a copy, all others as a view. The
 * array doubles as it fills, up to its maximum, so that an idle agent does not hold what a busy one may.
 *
 * Left to others: what the bytes mean (`outbox.ts`).
 */

const capacityAtFirst = 4_096;

export class ByteRing {
  readonly #bytesMax: number;
  #bytes: Uint8Array;
  #head = 0;
  #tail = 0;

  /** @param bytesMax 1 to 64 MiB. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#bytes = new Uint8Array(Math.min(bytesMax, capacityAtFirst));
  }

  get bytesMax(): number {
    return this.#bytesMax;
  }

  /** Place of the oldest byte; equal to {@link tail} when there is none. */
  get head(): number {
    return this.#head;
  }

  /** Place of the next byte to be put in. */
  get tail(): number {
    return this.#tail;
  }

  get length(): number {
    return this.#tail - this.#head;
  }

  /** Makes room for so many more bytes, beyond the maximum too: whether that may be is the caller's to ask. */
  reserve(length: number): void {
    const needed = this.length + length;
    if (needed <= this.#bytes.length) return;
    let capacity = this.#bytes.length;
    while (capacity < needed) capacity *= 2;
    if (needed <= this.#bytesMax && capacity > this.#bytesMax) capacity = this.#bytesMax;
    const old = this.#bytes;
    const fresh = new Uint8Array(capacity);
    for (let place = this.#head; place < this.#tail; ) {
      const from = place % old.length;
      const to = place % capacity;
      const run = Math.min(this.#tail - place, old.length - from, capacity - to);
      fresh.set(old.subarray(from, from + run), to);
      place += run;
    }
    this.#bytes = fresh;
  }

  /** Adds bytes, for which room was reserved. */
  append(bytes: Uint8Array): void {
    const at = this.#tail % this.#bytes.length;
    const run = Math.min(bytes.length, this.#bytes.length - at);
    if (run === bytes.length) this.#bytes.set(bytes, at);
    else {
      this.#bytes.set(bytes.subarray(0, run), at);
      this.#bytes.set(bytes.subarray(run), 0);
    }
    this.#tail += bytes.length;
  }

  /** @returns A view that holds until these bytes are given free or moved; a copy where the run goes round the end. */
  read(place: number, length: number): Uint8Array {
    const at = place % this.#bytes.length;
    const run = Math.min(length, this.#bytes.length - at);
    if (run === length) return this.#bytes.subarray(at, at + length);
    const copy = new Uint8Array(length);
    copy.set(this.#bytes.subarray(at, at + run));
    copy.set(this.#bytes.subarray(0, length - run), run);
    return copy;
  }

  /** The byte at a place. */
  byte(place: number): number {
    return this.#bytes[place % this.#bytes.length] ?? 0;
  }

  setByte(place: number, value: number): void {
    this.#bytes[place % this.#bytes.length] = value;
  }

  /** Gives everything before `place` free. */
  releaseTo(place: number): void {
    this.#head = place;
  }

  /**
   * Cuts `length` bytes out at `place`: what lies before them moves up by as much, what lies behind stays.
   */
  cutOut(place: number, length: number): void {
    const { length: capacity } = this.#bytes;
    // From the end, so that no byte is overwritten before it was moved; copyWithin minds its own overlap.
    for (let left = place - this.#head; left > 0; ) {
      const fromEnd = ((this.#head + left - 1) % capacity) + 1;
      const toEnd = ((this.#head + left + length - 1) % capacity) + 1;
      const run = Math.min(left, fromEnd, toEnd);
      this.#bytes.copyWithin(toEnd - run, fromEnd - run, fromEnd);
      left -= run;
    }
    this.#head += length;
  }

  clear(): void {
    this.#head = this.#tail;
  }
}
