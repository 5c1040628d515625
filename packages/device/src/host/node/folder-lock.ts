/**
 * One agent per folder: an exclusive transaction held open on a database file of its own.
 *
 * The lock is the operating system's (POSIX record locks under SQLite, which also tells two holders in one process
 * apart), so it dies with the process: after a kill -9 there is nothing stale to clean up.
 *
 * Left to others: what the folder holds.
 */
import { chmodSync, closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** A predecessor that is just dying may hold the lock for a moment longer. */
export const lockPatienceMillis = 200;

export interface FolderLock {
  /** Idempotent. */
  release(): void;
}

/**
 * Makes the folder if need be, owner-only, and takes it.
 *
 * @returns undefined when someone else has it. @throws The file system's error.
 */
export function takeFolder(folder: string): FolderLock | undefined {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, "lock");
  closeSync(openSync(file, "a", 0o600));
  chmodSync(file, 0o600);
  const database = new DatabaseSync(file, { timeout: lockPatienceMillis });
  try {
    // Nothing is ever written, so there is nothing to roll back; a disk that is full can still be locked.
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
  return {
    release: () => {
      if (database.isOpen) database.close();
    },
  };
}

/** SQLITE_BUSY, whatever its extended code. */
function isBusy(error: unknown): boolean {
  const code = error instanceof Error && "errcode" in error ? error.errcode : undefined;
  return typeof code === "number" && (code & 0xff) === 5;
}
