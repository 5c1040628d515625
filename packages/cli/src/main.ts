#!/usr/bin/env node
/**
 * `mayfly`: the one composition root on Node. Everything is in `program.ts` and the commands.
 */
import { readFileSync } from "node:fs";
import { keepCompiledCode } from "./host/compiled-code.ts";
import { endQuietlyOnClosedPipe } from "./host/terminal.ts";

endQuietlyOnClosedPipe();
keepCompiledCode();
// Imported now and not above: only what is loaded from here on is kept.
const { createProgram, runProgram } = await import("./program.ts");
const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  version: string;
};
process.exitCode = await runProgram(createProgram(version), process.argv.slice(2));
