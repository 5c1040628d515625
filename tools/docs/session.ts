/**
 * One shell session in which a document's commands are run, in order, as a reader would type them.
 *
 * The session's folder looks like the clone (links to all in it) but is not: what the commands leave behind, such
 * as `mayfly-data`, stays there and goes with it.
 */
import { spawn } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Snippet } from "./snippets.ts";

/** No document may take longer: a command that waits for input would wait for ever. */
const DOCUMENT_MILLIS_MAX = 240_000;
/** How long a background command may take to say its ready line, in tenths of a second. */
const READY_TENTHS_MAX = 600;

export type SessionEnd = {
  readonly ran: number;
  readonly leftOut: number;
  /** Empty when all went well; else what failed, with the line and what it said. */
  readonly failure: string;
};

/** Runs the snippets of one document in a scratch copy of `root`. */
export async function runSnippets(root: string, snippets: readonly Snippet[]): Promise<SessionEnd> {
  const folder = mkdtempSync(join(tmpdir(), "mayfly-docs-"));
  try {
    const clone = join(folder, "mayfly");
    const logs = join(folder, "logs");
    mkdirSync(clone);
    mkdirSync(logs);
    for (const name of readdirSync(root)) {
      if (name !== ".git" && name !== "mayfly-data") symlinkSync(join(root, name), join(clone, name));
    }
    const toRun = snippets.filter((snippet) => snippet.run.kind !== "left_out");
    const script = join(folder, "session.sh");
    writeFileSync(script, writeSession(toRun, logs));
    const said = await runScript(script, clone, join(root, "node_modules", ".bin"));

    const failure = said === "" ? findMissingWords(toRun, logs) : said + readLogs(logs);
    return { ran: toRun.length, leftOut: snippets.length - toRun.length, failure };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The session as one script: it ends at the first command that fails, and says at which line of the document. */
function writeSession(snippets: readonly Snippet[], logs: string): string {
  const parts = snippets.map((snippet) => {
    const log = join(logs, `line-${snippet.line}.log`);
    const here = `here="line ${snippet.line}"`;
    if (snippet.run.kind !== "background")
      return `${here}\n{\n${snippet.code}\n} > '${log}' 2>&1 < /dev/null`;
    return `${here}
( exec ${snippet.code.trim()} ) > '${log}' 2>&1 < /dev/null &
started+=($!)
tenths=0
until grep --quiet --fixed-strings -- '${snippet.run.readyLine.replaceAll("'", "'\\''")}' '${log}'; do
  kill -0 $! 2> /dev/null || { echo "$here: it ended before it was ready"; exit 1; }
  tenths=$((tenths + 1))
  [ $tenths -lt ${READY_TENTHS_MAX} ] || { echo "$here: it never said its ready line"; exit 1; }
  sleep 0.1
done`;
  });
  return `#!/usr/bin/env bash
set -euo pipefail
started=()
here="the beginning"
# npm and the shell it runs a program in do not pass a signal on: find the program itself.
program_of() {
  local pid=$1 child
  while case "$(cat "/proc/$pid/comm" 2> /dev/null)" in npm* | sh) true ;; *) false ;; esac; do
    read -r child _ < "/proc/$pid/task/$pid/children" || true
    [ -n "$child" ] || break
    pid=$child
  done
  echo "$pid"
}
finish() {
  code=$?
  trap - EXIT
  [ $code -eq 0 ] || echo "$here: ended with $code"
  for pid in "\${started[@]}"; do
    kill -TERM "$(program_of "$pid")" 2> /dev/null || true
    wait "$pid" || { echo "a background command ended with $? when told to stop"; code=1; }
  done
  exit $code
}
trap finish EXIT
${parts.join("\n")}
`;
}

function runScript(script: string, cwd: string, bin: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|MAYFLY_|NODE_TEST)/.test(name));
    const child = spawn("bash", [script], {
      cwd,
      env: { ...Object.fromEntries(inherited), PATH: [bin, process.env["PATH"]].join(delimiter) },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    const hear = (chunk: Buffer) => {
      said += chunk.toString("utf8");
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    const limit = setTimeout(() => child.kill("SIGTERM"), DOCUMENT_MILLIS_MAX);
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(limit);
      resolve(code === 0 ? "" : said || `the session ended with ${code ?? "a signal"}`);
    });
  });
}

function findMissingWords(snippets: readonly Snippet[], logs: string): string {
  const missing = snippets.flatMap((snippet) => {
    if (snippet.run.kind !== "foreground") return [];
    const said = readFileSync(join(logs, `line-${snippet.line}.log`), "utf8");
    return snippet.run.prints
      .filter((words) => !said.includes(words))
      .map((words) => `line ${snippet.line}: it did not print "${words}" but:\n${said}`);
  });
  return missing.join("\n");
}

function readLogs(logs: string): string {
  const files = readdirSync(logs);
  return files
    .map((file) => `\n--- ${file}\n${readFileSync(join(logs, file), "utf8").slice(-2000)}`)
    .join("");
}
