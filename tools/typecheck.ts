/**
 * Type check: every tsconfig of the house, at most two at a time.
 *
 * Each package compiles with what its machine has and nothing more (core and device with no types at all), so one
 * program for the whole tree would prove less.
 */
import { globSync } from "node:fs";
import { join } from "node:path";
import { ROOT, runProgram } from "./program.ts";

const PROGRAMS_AT_ONCE = 2;

/** The tsconfig files to check, relative to the root, in a stable order. */
export function findTsconfigs(): readonly string[] {
  const places = ["packages/*/tsconfig*.json", "firmware/*/tsconfig.json", "test/xs/inside/tsconfig.json"];
  return [...globSync(places, { cwd: ROOT }).sort(), "tsconfig.tests.json"];
}

/** Runs the compiler on one tsconfig. @returns its messages; empty when there is nothing to say. */
export async function typecheck(tsconfig: string): Promise<string> {
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const end = await runProgram(process.execPath, [tsc, "--project", tsconfig, "--pretty", "false"]);
  return end.code === 0 ? "" : end.stdout + end.stderr || `tsc ended with ${end.code}`;
}

/** Checks all, reporting each as it ends. @returns whether all are clean. */
export async function typecheckAll(report: (tsconfig: string, messages: string) => void): Promise<boolean> {
  const waiting = [...findTsconfigs()];
  let clean = true;
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const messages = await typecheck(next);
      clean &&= messages === "";
      report(next, messages);
    }
  };
  await Promise.all(Array.from({ length: PROGRAMS_AT_ONCE }, work));
  return clean;
}

if (import.meta.main) {
  const clean = await typecheckAll((tsconfig, messages) => {
    console.log(messages === "" ? `ok       ${tsconfig}` : `broken   ${tsconfig}\n${messages}`);
  });
  process.exitCode = clean ? 0 : 1;
}
