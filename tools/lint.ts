/**
 * Format and lint: Biome on the whole tree, warnings counted as errors so that none are left lying about.
 */
import { join } from "node:path";
import { ROOT, runProgram } from "./program.ts";

/** @returns Biome's messages; empty when there is nothing to say. */
export async function lint(): Promise<string> {
  const biome = join(ROOT, "node_modules/@biomejs/biome/bin/biome");
  const end = await runProgram(process.execPath, [biome, "check", "--error-on-warnings", "--colors=off"]);
  return end.code === 0 ? "" : end.stdout + end.stderr;
}
