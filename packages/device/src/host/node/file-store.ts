/**
 * Small values in a folder: a file a key, each replaced whole or not at all.
 *
 * A value is written to a temporary file, synced, renamed over the old one, and then the folder is synced: after a
 * loss of power at any moment the key holds what it held before or what it was to hold. A checksum over key and value
 * tells a file that is not whole, which reads as absent. Files belong to their owner only; one agent has the folder.
 *
 * Left to others: how often a value may be written (whoever writes it; flash wears).
 */
import { closeSync, openSync, readSync } from "node:fs";
import { type FileHandle, open, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { SmallStore } from "../../ports.ts";
import { smallValueBytesMax } from "../../ports.ts";
import { checkSmallKey, checkSmallValue, SmallStoreError } from "../../small-store-rules.ts";
import { takeFolder } from "./folder-lock.ts";

/** Writes under way and waiting, all keys together. */
export const waitingWritesMax = 64;

/** `MFV1`, then CRC-32 (IEEE 802.3) of key and value, big-endian; the value follows to the end of the file. */
const headerBytes = 8;
const magic = 0x4d465631;

export interface FileStore extends SmallStore {
  /** Refuses further writes, waits for those accepted, and gives the folder free. Idempotent. */
  close(): Promise<void>;
}

/**
 * @param folder Made if it is not there; nobody else should keep files in it.
 * @throws {SmallStoreError} `store_locked`, `store_failed`.
 */
export function openFileStore(folder: string): FileStore {
  const lock = lockOf(folder);
  let waiting = 0;
  let isClosed = false;
  let last: Promise<void> = Promise.resolve();

  return {
    read(key) {
      checkSmallKey(key);
      return readValue(folder, key);
    },
    write(key, value) {
      return new Promise<void>((resolve, reject) => {
        checkSmallValue(key, value);
        if (isClosed) throw new SmallStoreError("store_closed", "the store is closed");
        if (waiting >= waitingWritesMax) {
          throw new SmallStoreError("store_busy", `${waitingWritesMax} writes wait already`);
        }
        waiting += 1;
        const file = fileOf(key, value);
        // One at a time: two writes of a key share its temporary file, and the later must win.
        last = last
          .then(() => replaceFile(folder, key, file))
          .then(resolve, (cause: unknown) => reject(storeErrorOf(cause, `cannot keep ${key}`)))
          .finally(() => {
            waiting -= 1;
          });
      });
    },
    async close() {
      isClosed = true;
      await last;
      lock.release();
    },
  };
}

function lockOf(folder: string): { release(): void } {
  let lock: { release(): void } | undefined;
  try {
    lock = takeFolder(folder);
  } catch (cause) {
    throw storeErrorOf(cause, `cannot open ${folder}`);
  }
  if (lock === undefined) throw new SmallStoreError("store_locked", `another agent has ${folder} open`);
  return lock;
}

function pathOf(folder: string, key: string): string {
  return join(folder, `${key}.value`);
}

function fileOf(key: string, value: Uint8Array): Buffer {
  const file = Buffer.alloc(headerBytes + value.length);
  file.writeUInt32BE(magic, 0);
  file.writeUInt32BE(crc32(value, crc32(key)), 4);
  file.set(value, headerBytes);
  return file;
}

/** @throws {SmallStoreError} `store_failed`: the file is there and cannot be read. */
function readValue(folder: string, key: string): Uint8Array | undefined {
  // One byte more than the largest file: a longer one is not ours.
  const bytes = Buffer.alloc(headerBytes + smallValueBytesMax + 1);
  let length: number;
  try {
    const descriptor = openSync(pathOf(folder, key), "r");
    try {
      length = readSync(descriptor, bytes);
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw storeErrorOf(cause, `cannot read ${key}`);
  }
  if (length < headerBytes || length > headerBytes + smallValueBytesMax) return undefined;
  const value = new Uint8Array(bytes.subarray(headerBytes, length));
  const isWhole = bytes.readUInt32BE(0) === magic && bytes.readUInt32BE(4) === crc32(value, crc32(key));
  return isWhole ? value : undefined;
}

async function replaceFile(folder: string, key: string, file: Buffer): Promise<void> {
  const path = pathOf(folder, key);
  const temporary = `${path}.new`;
  try {
    await closing(await open(temporary, "w", 0o600), async (handle) => {
      await handle.writeFile(file);
      await handle.sync();
    });
    await rename(temporary, path);
  } catch (error) {
    // What it holds is of no use, and on a full disk it is in the way.
    await unlink(temporary).catch(() => {});
    throw error;
  }
  await closing(await open(folder, "r"), (handle) => handle.sync());
}

async function closing(handle: FileHandle, use: (handle: FileHandle) => Promise<void>): Promise<void> {
  try {
    await use(handle);
  } finally {
    await handle.close();
  }
}

function storeErrorOf(cause: unknown, what: string): SmallStoreError {
  const code = codeOf(cause);
  const isFull = code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG";
  return new SmallStoreError(isFull ? "store_full" : "store_failed", `${what}: ${code}`, { cause });
}

function codeOf(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return error instanceof Error ? error.name : "unknown";
}
