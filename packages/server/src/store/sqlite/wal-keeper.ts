/**
 * Keeps the registry's write-ahead log short without ever standing between a commit and its answer.
 *
 * Reading the log's length costs a statement, so it is read every so many commits. A passive checkpoint
 * copies what it can without waiting for readers; where readers kept it from finishing and the log has grown
 * past its bound, one that waits for them (no longer than the busy timeout) cuts the log to nothing.
 */
import type { DatabaseSync } from "node:sqlite";

/** Commands between two looks at the log. */
const LOOK_EVERY = 64;
const FRAMES_PASSIVE = 1_000;
const FRAMES_MAX = 16_000;

export class WalKeeper {
  readonly #database: DatabaseSync;
  #sinceLook = 0;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** A batch of `commands` was committed and answered. */
  committed(commands: number): void {
    this.#sinceLook += commands;
    if (this.#sinceLook < LOOK_EVERY) return;
    this.#sinceLook = 0;
    // NOOP (SQLite 3.51) tells the log's frames and does nothing.
    const frames = this.#checkpoint("NOOP");
    if (frames < FRAMES_PASSIVE) return;
    if (this.#checkpoint("PASSIVE") > FRAMES_MAX) this.#checkpoint("TRUNCATE");
  }

  /** @returns Frames in the log. A checkpoint that fails (a full disk) costs nothing but space: 0. */
  #checkpoint(mode: "NOOP" | "PASSIVE" | "TRUNCATE"): number {
    try {
      const row = this.#database.prepare(`PRAGMA wal_checkpoint(${mode})`).get();
      return Number(row?.["log"] ?? 0);
    } catch {
      return 0;
    }
  }
}
