/**
 * One server per data folder: an exclusive transaction held open on a database file of its own.
 *
 * The lock is the operating system's (POSIX record locks under SQLite), so it dies with the process: after a
 * kill -9 there is nothing stale to clean up, and no pid file to be wrong.
 */
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StoreError } from "../../registry/store.ts";
import { prepareOwnerOnlyFile, storeErrorOf } from "./database.ts";

/** A predecessor that is just dying may hold the lock for a moment longer. */
const PATIENCE_MILLIS = 200;

export interface ServeLock {
  release(): void;
}

/** @throws {StoreError} locked: another process holds it. */
export function acquireServeLock(file: string): ServeLock {
  prepareOwnerOnlyFile(file);
  const database = new DatabaseSync(file, { timeout: PATIENCE_MILLIS });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (cause) {
    database.close();
    const error = storeErrorOf(cause, `cannot lock ${file}`);
    if (error.code !== "locked") throw error;
    throw new StoreError("locked", `another process serves ${dirname(file)}; stop it first`, { cause });
  }
  return { release: () => database.close() };
}
