/**
 * Segment files: what the outbox does to the disk.
 *
 * A file is made at its full size, of zeros, synced and only then given its name. So its room is there before anything is
 * promised to be kept in it, and a later sync of its bytes has no size to write. All but what is done once at the start
 * runs off the event loop.
 *
 * Left to others: what is in the files (`outbox-segment.ts`).
 */
import {
  close,
  closeSync,
  fdatasync,
  fsync,
  fsyncSync,
  open,
  openSync,
  readdirSync,
  readFileSync,
  rename,
  renameSync,
  unlink,
  unlinkSync,
  write,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const openFile = promisify(open);
const closeFile = promisify(close);
const renameFile = promisify(rename);
const unlinkFile = promisify(unlink);
const syncFile = promisify(fsync);
const syncData = promisify(fdatasync);
const writeFile = promisify(write);

const ending = ".segment";
const unnamedEnding = ".new";
/** Digits of a number in a name: enough for a segment a second for 300 years. */
const numberDigits = 10;

function pathOf(folder: string, number: number): string {
  return join(folder, `${String(number).padStart(numberDigits, "0")}${ending}`);
}

/** Numbers of the segments that are there, ascending; what a crash left half made is removed. */
export function findSegments(folder: string): readonly number[] {
  const numbers: number[] = [];
  for (const name of readdirSync(folder)) {
    if (name.endsWith(`${ending}${unnamedEnding}`)) unlinkSync(join(folder, name));
    const digits = name.slice(0, -ending.length);
    if (name.endsWith(ending) && /^\d{10}$/.test(digits)) numbers.push(Number(digits));
  }
  return numbers.sort((a, b) => a - b);
}

export function readSegment(folder: string, number: number): Buffer {
  return readFileSync(pathOf(folder, number));
}

/** @returns The descriptor of a new segment, durable and full of zeros. */
export async function makeSegment(folder: string, number: number, bytes: number): Promise<number> {
  const path = pathOf(folder, number);
  const unnamed = `${path}${unnamedEnding}`;
  let descriptor: number | undefined;
  try {
    descriptor = await openFile(unnamed, "w", 0o600);
    await writeWhole(descriptor, Buffer.alloc(bytes), 0);
    await syncFile(descriptor);
    await renameFile(unnamed, path);
    await syncFolder(folder);
    return descriptor;
  } catch (error) {
    if (descriptor !== undefined) await closeFile(descriptor).catch(() => {});
    await unlinkFile(unnamed).catch(() => {});
    await unlinkFile(path).catch(() => {});
    throw error;
  }
}

/** The same, while nobody waits yet. */
export function makeFirstSegment(folder: string, number: number, bytes: number): number {
  const path = pathOf(folder, number);
  const unnamed = `${path}${unnamedEnding}`;
  let descriptor: number | undefined;
  try {
    descriptor = openSync(unnamed, "w", 0o600);
    const zeros = Buffer.alloc(bytes);
    for (let at = 0; at < bytes; ) at += writeSync(descriptor, zeros, at, bytes - at, at);
    fsyncSync(descriptor);
    renameSync(unnamed, path);
    const folderDescriptor = openSync(folder, "r");
    try {
      fsyncSync(folderDescriptor);
    } finally {
      closeSync(folderDescriptor);
    }
    return descriptor;
  } catch (error) {
    if (descriptor !== undefined) closeSync(descriptor);
    // It has the one name or the other, or neither.
    for (const left of [unnamed, path]) unlinkIfThere(left);
    throw error;
  }
}

/** Writes within a segment. @param isDurable Whether to wait until a loss of power would not undo it. */
export async function writeSegment(
  descriptor: number,
  bytes: Buffer,
  at: number,
  isDurable: boolean,
): Promise<void> {
  await writeWhole(descriptor, bytes, at);
  if (isDurable) await syncData(descriptor);
}

/** Best effort: a segment that stays is found empty, or sent again, at the next start. */
export async function removeSegment(
  folder: string,
  number: number,
  descriptor: number | undefined,
): Promise<void> {
  if (descriptor !== undefined) await closeFile(descriptor).catch(() => {});
  await unlinkFile(pathOf(folder, number)).catch(() => {});
}

export async function closeSegment(descriptor: number): Promise<void> {
  await closeFile(descriptor).catch(() => {});
}

async function writeWhole(descriptor: number, bytes: Buffer, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await writeFile(descriptor, bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}

async function syncFolder(folder: string): Promise<void> {
  const descriptor = await openFile(folder, "r");
  try {
    await syncFile(descriptor);
  } finally {
    await closeFile(descriptor);
  }
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Not there, or in the way of the next attempt, which will say so.
  }
}
