/**
 * What of our own code ran: V8's block coverage, asked through the inspector of this very process.
 *
 * A block with the magnitude of its count is one feature, as in other coverage-guided fuzzers: a loop that turned
 * eight times where it turned once before is news too. Asking costs about as much as some hundred short runs, so
 * the fuzzer asks once for many.
 *
 * Left to others: what is done with the news (`fuzzer.ts`).
 */
import { type Profiler, Session } from "node:inspector";

/** Scripts whose blocks count. */
const ours = /\/packages\/(core|server)\/src\//;

export class Coverage {
  readonly #session = new Session();
  readonly #seen = new Set<string>();
  readonly #counts: RegExp;

  /** @param counts URLs of the scripts that count; absent: what we ship. */
  constructor(counts: RegExp = ours) {
    this.#counts = counts;
    this.#session.connect();
    this.#post("Profiler.enable");
    this.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  /** Features seen so far. */
  get size(): number {
    return this.#seen.size;
  }

  /** What ran since this was asked last. @returns how many features are new. */
  takeNew(): number {
    const before = this.#seen.size;
    for (const { url, functions } of this.#take()) {
      if (!this.#counts.test(url)) continue;
      for (const { ranges } of functions) {
        for (const { startOffset, endOffset, count } of ranges) {
          this.#seen.add(`${url}:${startOffset}:${endOffset}:${magnitudeOf(count)}`);
        }
      }
    }
    return this.#seen.size - before;
  }

  close(): void {
    this.#post("Profiler.stopPreciseCoverage");
    this.#session.disconnect();
  }

  #take(): readonly Profiler.ScriptCoverage[] {
    let result: readonly Profiler.ScriptCoverage[] = [];
    // A session with its own thread answers before `post` returns.
    this.#session.post("Profiler.takePreciseCoverage", (error, answer) => {
      if (error !== null) throw error;
      result = answer.result;
    });
    return result;
  }

  #post(method: "Profiler.enable" | "Profiler.stopPreciseCoverage"): void {
    this.#session.post(method);
  }
}

/**
 * 1, 2, 3 … for 1, 2 to 3, 4 to 7 …, one for all above, and 0: a block that ran as often as what is around it is not
 * reported, so where all of a function ran at last, what tells is the early return that did not.
 */
function magnitudeOf(count: number): number {
  return Math.min(32 - Math.clz32(count), 12);
}
