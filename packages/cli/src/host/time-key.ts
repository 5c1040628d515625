/**
 * The online key of signed time in a data folder, as the commands read it.
 */
import { resolve } from "node:path";
import type { TimeKeyFile } from "@mayfly/server/node";
import { CommandFailure } from "../failure.ts";
import { readTextIfThere } from "./files.ts";

/** @param folder A data folder. @returns Where its key is or would be. */
export async function timeKeyFileOf(folder: string): Promise<string> {
  const { dataFolderPaths } = await import("@mayfly/server/node");
  return dataFolderPaths(resolve(folder)).timeKeyFile;
}

/** @throws {CommandFailure} key_unusable, file_unreadable. */
export async function findTimeKey(file: string): Promise<TimeKeyFile | undefined> {
  const text = await readTextIfThere(file);
  if (text === undefined) return undefined;
  const { parseTimeKeyFile } = await import("@mayfly/server/node");
  return usable(file, () => parseTimeKeyFile(text));
}

/** Runs what reads a key or key file. @throws {CommandFailure} key_unusable, with the file's name. */
export function usable<T>(file: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || error.code !== "time_key_unusable") throw error;
    throw new CommandFailure("key_unusable", `${file} cannot be used: ${error.message}`, { cause: error });
  }
}
