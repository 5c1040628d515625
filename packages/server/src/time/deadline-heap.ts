/**
 * Deadline heap: a binary min-heap of due times in which each entry knows its own place.
 *
 * Knowing the place makes taking out a closed connection O(log n) and leaves no reference to it behind, so
 * the heap is exactly as large as the number of live connections.
 *
 * Left to others: the timer, and what to do when something is due (`alarm.ts`).
 */

/** What is kept per waiting thing. Both fields belong to the heap once it was inserted. */
export interface HeapEntry {
  /** Monotonic milliseconds. */
  dueMillis: number;
  /** Place in the heap, -1 while outside. */
  heapIndex: number;
}

export class DeadlineHeap<T extends HeapEntry> {
  readonly #entries: T[] = [];

  get size(): number {
    return this.#entries.length;
  }

  /** The entry that is due first. */
  get first(): T | undefined {
    return this.#entries[0];
  }

  /** Inserts an entry, or moves one that is inside, to `dueMillis`. */
  set(entry: T, dueMillis: number): void {
    if (entry.heapIndex < 0) {
      entry.heapIndex = this.#entries.length;
      this.#entries.push(entry);
      entry.dueMillis = dueMillis;
      this.#rise(entry);
      return;
    }
    const earlier = dueMillis < entry.dueMillis;
    entry.dueMillis = dueMillis;
    if (earlier) this.#rise(entry);
    else this.#sink(entry);
  }

  /** Takes an entry out; harmless when it is outside. */
  remove(entry: T): void {
    const index = entry.heapIndex;
    if (index < 0) return;
    const last = this.#entries.pop();
    entry.heapIndex = -1;
    if (last === undefined || last === entry) return;
    this.#place(last, index);
    this.#rise(last);
    this.#sink(last);
  }

  #rise(entry: T): void {
    while (entry.heapIndex > 0) {
      const parentIndex = (entry.heapIndex - 1) >> 1;
      const parent = this.#entries[parentIndex];
      if (parent === undefined || parent.dueMillis <= entry.dueMillis) return;
      this.#place(parent, entry.heapIndex);
      this.#place(entry, parentIndex);
    }
  }

  #sink(entry: T): void {
    for (;;) {
      const leftIndex = 2 * entry.heapIndex + 1;
      const left = this.#entries[leftIndex];
      const right = this.#entries[leftIndex + 1];
      const child =
        right !== undefined && left !== undefined && right.dueMillis < left.dueMillis ? right : left;
      if (child === undefined || child.dueMillis >= entry.dueMillis) return;
      const childIndex = child.heapIndex;
      this.#place(child, entry.heapIndex);
      this.#place(entry, childIndex);
    }
  }

  #place(entry: T, index: number): void {
    this.#entries[index] = entry;
    entry.heapIndex = index;
  }
}
