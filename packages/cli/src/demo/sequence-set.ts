/**
 * A set of sequence numbers kept as runs, so that hours of messages without a hole cost one entry.
 */

/** A run of sequence numbers, both ends included. */
export type SequenceRange = readonly [first: number, last: number];

/** Runs kept at most: one for each hole. A demo with more holes than this has told its story. */
export const RUNS_MAX = 100_000;

export class SequenceSet {
  /** Sorted, neither touching nor overlapping. */
  #runs: { first: number; last: number }[] = [];

  /**
   * @param sequence A whole number of 0 or more.
   * @returns Whether it is new; `false` also for one that would be the run after the last of {@link RUNS_MAX}.
   */
  add(sequence: number): boolean {
    const index = this.#firstRunEndingFrom(sequence - 1);
    const run = this.#runs[index];
    const next = this.#runs[index + 1];
    if (run === undefined || sequence < run.first - 1) {
      if (this.#runs.length >= RUNS_MAX) return false;
      this.#runs.splice(index, 0, { first: sequence, last: sequence });
      return true;
    }
    if (sequence >= run.first && sequence <= run.last) return false;
    if (sequence === run.first - 1) {
      run.first = sequence;
      return true;
    }
    run.last = sequence;
    if (next !== undefined && next.first === sequence + 1) {
      run.last = next.last;
      this.#runs.splice(index + 1, 1);
    }
    return true;
  }

  has(sequence: number): boolean {
    const run = this.#runs[this.#firstRunEndingFrom(sequence)];
    return run !== undefined && sequence >= run.first;
  }

  ranges(): readonly SequenceRange[] {
    return this.#runs.map(({ first, last }) => [first, last]);
  }

  /** Index of the first run whose end is `sequence` or later; the number of runs when there is none. */
  #firstRunEndingFrom(sequence: number): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const run = this.#runs[middle];
      if (run !== undefined && run.last < sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
