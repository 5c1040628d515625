/** Inputs that once broke a promise, kept so that they never do again: a file per target, base64 with a sentence. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { FuzzTargetName } from "./targets/all.ts";

export interface KeptCase {
  /** What was wrong. */
  readonly was: string;
  /** base64 */
  readonly input: string;
}

export function readCases(target: FuzzTargetName): readonly KeptCase[] {
  const file = join(import.meta.dirname, "cases", `${target}.json`);
  return JSON.parse(readFileSync(file, "utf8")) as readonly KeptCase[];
}
