/**
 * Files as the commands use them: whole texts, owner-only, with a sentence when it fails.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readFile, rename, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { CommandFailure } from "../failure.ts";

/** Keys, tokens and payloads are small; a larger file is a mistake. */
export const FILE_BYTES_MAX = 1024 * 1024;

/** Reads a small file; `-` is standard input. @throws {CommandFailure} file_unreadable */
export async function readBytes(file: string, bytesMax = FILE_BYTES_MAX): Promise<Uint8Array> {
  try {
    if (file === "-") return await readStandardInput(bytesMax);
    const size = (await stat(file)).size;
    if (size > bytesMax) throw new Error(`it has ${size} bytes, at most ${bytesMax} are read`);
    return await readFile(file);
  } catch (error) {
    throw new CommandFailure("file_unreadable", `cannot read ${file}: ${reasonOf(error)}`, { cause: error });
  }
}

/** @throws {CommandFailure} file_unreadable */
export async function readText(file: string, bytesMax = FILE_BYTES_MAX): Promise<string> {
  return Buffer.from(await readBytes(file, bytesMax)).toString("utf8");
}

/** The text of a file, or undefined where there is none. */
export async function readTextIfThere(file: string): Promise<string | undefined> {
  return (await readBytesIfThere(file))?.toString("utf8");
}

/** A whole file, or undefined where there is none. */
export async function readBytesIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new CommandFailure("file_unreadable", `cannot read ${file}: ${reasonOf(error)}`, { cause: error });
  }
}

/** Writes whole or not at all, through to the disk, readable by the owner alone; makes the folder, owner-only, where it is missing. */
export async function writeSecret(file: string, content: string | Uint8Array): Promise<void> {
  const draft = `${file}.${randomBytes(4).toString("hex")}.new`;
  try {
    await makeOwnFolder(dirname(file));
    await writeFile(draft, content, { mode: 0o600, flush: true });
    await rename(draft, file);
    await syncFolder(dirname(file));
  } catch (error) {
    throw new CommandFailure("file_unwritable", `cannot write ${file}: ${reasonOf(error)}`, { cause: error });
  }
}

/** As {@link writeSecret}, but never over a file that is there. @throws {CommandFailure} file_unwritable */
export async function writeNewSecret(file: string, text: string): Promise<void> {
  try {
    await makeOwnFolder(dirname(file));
    await writeFile(file, text, { mode: 0o600, flag: "wx", flush: true });
  } catch (error) {
    throw new CommandFailure("file_unwritable", `cannot write ${file}: ${reasonOf(error)}`, { cause: error });
  }
}

/** Makes a folder only its owner can enter. */
export async function makeOwnFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
}

/** A new name in a folder outlives a loss of power only once the folder itself is written. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function readStandardInput(bytesMax: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of process.stdin as AsyncIterable<Uint8Array>) {
    bytes += part.length;
    if (bytes > bytesMax) throw new Error(`more than ${bytesMax} bytes came`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EACCES" || code === "EPERM") return "permission denied";
  if (code === "EEXIST") return "it is there already";
  if (code === "EISDIR") return "it is a folder";
  if (code === "ENOSPC") return "the disk is full";
  return error instanceof Error ? error.message : String(error);
}

export function fileExists(file: string): boolean {
  return existsSync(file);
}
