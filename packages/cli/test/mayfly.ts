/**
 * The real executable, run by a test: `process.execPath` with the command's main file.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly pid: number | undefined;
  /** Resolves with the first stdout (or stderr) line that fits; rejects when the process ends without one. */
  line(fits: (line: string) => boolean, from?: "stdout" | "stderr"): Promise<string>;
  readonly stdoutLines: readonly string[];
  kill(signal: NodeJS.Signals): void;
  readonly ended: Promise<Finished>;
}

/** Without the settings of whoever runs the tests. */
function environment(): NodeJS.ProcessEnv {
  const { MAYFLY_URL: _url, MAYFLY_TOKEN: _token, MAYFLY_CA: _ca, MAYFLY_DATA: _data, ...rest } = process.env;
  return rest;
}

/**
 * Starts a command and leaves it running; the test's end kills it, by its pid, if it has not ended.
 *
 * @param options `under`: a program that becomes the command, with its arguments.
 */
export function startMayfly(
  t: TestContext,
  args: readonly string[],
  options: {
    readonly cwd?: string;
    readonly env?: NodeJS.ProcessEnv;
    readonly stdin?: string;
    readonly under?: readonly string[];
  } = {},
): Running {
  const [program = process.execPath, ...rest] = [...(options.under ?? []), process.execPath, main, ...args];
  const child = spawn(program, rest, {
    cwd: options.cwd ?? tmpdir(),
    env: { ...environment(), ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.on("error", () => {});
  if (options.stdin !== undefined) child.stdin.end(options.stdin);
  const streams = {
    stdout: { text: "", lines: [] as string[] },
    stderr: { text: "", lines: [] as string[] },
  };
  let watchers: (() => void)[] = [];
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8");
    child[name].on("data", (text: string) => {
      streams[name].text += text;
      streams[name].lines = streams[name].text.split("\n").slice(0, -1);
      for (const watch of watchers) watch();
    });
  }
  let isEnded = false;
  const ended = new Promise<Finished>((resolve) => {
    child.on("close", (code) => {
      isEnded = true;
      for (const watch of watchers) watch();
      resolve({ code, stdout: streams.stdout.text, stderr: streams.stderr.text });
    });
  });
  t.after(async () => {
    if (!isEnded) child.kill("SIGKILL");
    await ended;
  });
  return {
    pid: child.pid,
    get stdoutLines() {
      return streams.stdout.lines;
    },
    line(fits, from = "stdout") {
      return new Promise((resolve, reject) => {
        const watch = (): void => {
          const found = streams[from].lines.find(fits);
          if (found !== undefined) resolve(found);
          else if (isEnded)
            reject(new Error(`ended without the line: ${streams.stdout.text}${streams.stderr.text}`));
          else return;
          watchers = watchers.filter((other) => other !== watch);
        };
        watchers.push(watch);
        watch();
      });
    },
    kill: (signal) => {
      child.kill(signal);
    },
    ended,
  };
}

/** Runs a command to its end. */
export async function mayfly(
  t: TestContext,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv; readonly stdin?: string } = {},
): Promise<Finished> {
  return startMayfly(t, args, { stdin: "", ...options }).ended;
}

/** A folder of the test's own below the system's temporary one. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "mayfly-cli-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
