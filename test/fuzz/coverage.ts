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
  readonly #seen = new Set<string>();
  readonly #counts: RegExp;

  /** @param counts URLs of the scripts that count; absent: what we ship. */
  constructor(counts: RegExp = ours) {
    this.#counts = counts;
    // What ran before is nobody's news.
    takeAll();
  }

  /** Features seen so far. */
  get size(): number {
    return this.#seen.size;
  }

  /** What ran since this was asked last. @returns how many features are new. */
  takeNew(): number {
    const before = this.#seen.size;
    for (const { url, functions } of takeAll()) {
      if (!this.#counts.test(url)) continue;
      for (const { ranges } of functions) {
        for (const { startOffset, endOffset, count } of ranges) {
          this.#seen.add(`${url}:${startOffset}:${endOffset}:${magnitudeOf(count)}`);
        }
      }
    }
    return this.#seen.size - before;
  }
}

let session: Session | undefined;

/**
 * Counts since the last call. One session for the life of the process: a function that was compiled while nobody counted
 * has no blocks to count afterwards, so counting begins once and does not stop.
 */
function takeAll(): readonly Profiler.ScriptCoverage[] {
  if (session === undefined) {
    session = new Session();
    session.connect();
    session.post("Profiler.enable");
    session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }
  let result: readonly Profiler.ScriptCoverage[] = [];
  // A session with its own thread answers before `post` returns.
  session.post("Profiler.takePreciseCoverage", (error, answer) => {
    if (error !== null) throw error;
    result = answer.result;
  });
  return result;
}

/**
 * 1, 2, 3 … for 1, 2 to 3, 4 to 7 …, one for all above, and 0: a block that ran as often as what is around it is not
 * reported, so where all of a function ran at last, what tells is the early return that did not.
 */
function magnitudeOf(count: number): number {
  return Math.min(32 - Math.clz32(count), 12);
}
