/**
 * Opening SQLite files the way Mayfly keeps them: owner-only, WAL, a SQLite new enough, errors as ours.
 *
 * SQLite gives its `-wal` and `-shm` files the mode of the database, so a database that is made owner-only
 * before SQLite first opens it stays so with all it leans on, without touching the process's umask.
 */
import { chmodSync, closeSync, constants, existsSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StoreError, type StoreErrorCode } from "../../registry/store.ts";

/** Before 3.51.3 a checkpoint racing a commit could lose that commit (the "WAL-reset" bug). */
const SQLITE_VERSION_MIN = [3, 51, 3] as const;

/** Makes the folder (0700) and an empty file (0600) where missing, and takes others' rights away where not. */
export function prepareOwnerOnlyFile(file: string): void {
  const folder = dirname(file);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    makeWhereMissing(file);
    chmodSync(file, 0o600);
    // The name in the folder must survive a loss of power too, or the file's own fsync is worth nothing.
    const descriptor = openSync(folder, constants.O_RDONLY);
    fsyncSync(descriptor);
    closeSync(descriptor);
  } catch (cause) {
    throw storeErrorOf(cause, `cannot prepare ${file}`);
  }
}

/** An existing file is never opened: closing it again would drop the POSIX locks this process holds on it. */
function makeWhereMissing(file: string): void {
  if (existsSync(file)) return;
  closeSync(openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600));
}

/** @throws {StoreError} store_failed: this SQLite is too old to be trusted with a WAL. */
export function checkSqliteVersion(version = sqliteVersion()): void {
  const parts = version.split(".").map(Number);
  for (const [index, least] of SQLITE_VERSION_MIN.entries()) {
    const part = parts[index] ?? 0;
    if (part > least) return;
    if (part < least) {
      throw new StoreError(
        "store_failed",
        `SQLite ${version} is too old: Mayfly needs ${SQLITE_VERSION_MIN.join(".")} or later, as Node 24's and 26's current releases have`,
      );
    }
  }
}

function sqliteVersion(): string {
  const database = new DatabaseSync(":memory:");
  const row = database.prepare("SELECT sqlite_version() AS version").get();
  database.close();
  return String(row?.["version"]);
}

/** The one connection of a writer thread. `synchronous` is set by the writer itself, in plain sight. */
export function openForWriting(file: string, busyMillis: number): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: busyMillis });
  database.exec("PRAGMA journal_mode=WAL");
  // Checkpoints are ours to time: off the commit path, and bounded.
  database.exec("PRAGMA wal_autocheckpoint=0");
  // A WAL that once grew gives its space back when it is reset.
  database.exec("PRAGMA journal_size_limit=67108864");
  return database;
}

export function openForReading(file: string): DatabaseSync {
  return new DatabaseSync(file, { readOnly: true, timeout: 1_000 });
}

/** SQLite's and the system's reasons in our closed set. @param doing What failed, as the start of a sentence. */
export function storeErrorOf(cause: unknown, doing: string): StoreError {
  if (cause instanceof StoreError) return cause;
  const because = cause instanceof Error ? cause.message : String(cause);
  return new StoreError(codeOf(cause), `${doing}: ${because}`, { cause });
}

// Primary result codes of SQLite (https://sqlite.org/rescode.html); the low byte of an extended one.
const SQLITE_BUSY = 5;
const SQLITE_IOERR = 10;
const SQLITE_FULL = 13;

function codeOf(cause: unknown): StoreErrorCode {
  if (typeof cause !== "object" || cause === null) return "store_failed";
  const { code, errcode } = cause as { readonly code?: unknown; readonly errcode?: unknown };
  if (code === "ENOSPC" || code === "EDQUOT") return "disk_full";
  if (typeof errcode !== "number") return "store_failed";
  switch (errcode & 0xff) {
    case SQLITE_FULL:
    // The WAL's shared memory and a checkpoint report a full disk as an input/output error.
    case SQLITE_IOERR:
      return "disk_full";
    case SQLITE_BUSY:
      return "locked";
    default:
      return "store_failed";
  }
}
