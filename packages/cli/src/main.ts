#!/usr/bin/env node
/**
 * `mayfly`: the one composition root on Node. Everything is in `program.ts` and the commands.
 */
import { readFileSync } from "node:fs";
import { endQuietlyOnClosedPipe } from "./host/terminal.ts";
import { createProgram, runProgram } from "./program.ts";

endQuietlyOnClosedPipe();
const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  version: string;
};
process.exitCode = await runProgram(createProgram(version), process.argv.slice(2));
