/**
 * Event log: what happened in a run, one line each, in order; two runs are the same when their hashes are.
 *
 * Never a signature or a key in a line: they differ from run to run, and are nobody's business.
 */
import { type Clock, hexEncode, type Sha256, utf8Encode } from "@mayfly/core";

/** Lines kept; beyond it the run is too long for one log. */
export const linesMax = 2_000_000;

export interface EventLog {
  /** Adds a line, stamped with virtual milliseconds. */
  add(who: string, what: string): void;
  readonly lines: readonly string[];
  /** SHA-256 over all lines, 64 hexadecimal digits. */
  hash(): string;
}

export function createEventLog(clock: Pick<Clock, "monotonicMillis">, sha256: Sha256): EventLog {
  const lines: string[] = [];
  return {
    add(who, what) {
      if (lines.length >= linesMax) throw new RangeError(`more than ${linesMax} lines`);
      lines.push(`${clock.monotonicMillis().toFixed(3)} ${who} ${what}`);
    },
    lines,
    hash: () => hexEncode(sha256.digest(utf8Encode(lines.join("\n")))),
  };
}
