/**
 * Another `mayfly` as a child process: its lines, its end, and ending it by its process id.
 *
 * A child is in a process group of its own, so Ctrl-C reaches the parent alone and the parent decides in
 * which order things end. Its standard input is a pipe that closes when the parent dies, however it dies.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { shareCompiledCode } from "./compiled-code.ts";

/** How long a child may take to end after SIGTERM before it is killed. */
export const CHILD_END_MILLIS_MAX = 10_000;
/** Last lines of a child's stderr kept for an error message. */
const ERROR_LINES_MAX = 20;

export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Child {
  readonly pid: number | undefined;
  /** Resolves when the process has ended and all its lines have been given out; never rejects. */
  readonly ended: Promise<ChildEnd>;
  hasEnded(): boolean;
  /** What it said on stderr last. */
  errorText(): string;
  /** SIGTERM, and SIGKILL where that is not heeded in time. */
  stop(): Promise<ChildEnd>;
}

/** Starts `mayfly` with these arguments. @param onLine Called with each line of its stdout. */
export function startMayfly(args: readonly string[], onLine: (line: string) => void): Child {
  shareCompiledCode();
  // The same file in the sources and in a release, where it is JavaScript.
  const main = new URL(import.meta.url.endsWith(".ts") ? "../main.ts" : "../main.js", import.meta.url);
  const child = spawn(process.execPath, [fileURLToPath(main), ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  // A child that is gone needs no word that its input closes.
  child.stdin.on("error", () => {});
  createInterface({ input: child.stdout }).on("line", onLine);
  const errorLines: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    errorLines.push(line);
    if (errorLines.length > ERROR_LINES_MAX) errorLines.shift();
  });

  let end: ChildEnd | undefined;
  const ended = new Promise<ChildEnd>((resolve) => {
    const finish = (code: number | null, signal: NodeJS.Signals | null): void => {
      end ??= { code, signal };
      resolve(end);
    };
    // `close` comes after the streams have ended, so the last line has been seen.
    child.on("close", finish);
    child.on("error", (error) => {
      errorLines.push(error.message);
      finish(null, null);
    });
  });

  return {
    pid: child.pid,
    ended,
    hasEnded: () => end !== undefined,
    errorText: () => errorLines.join("\n"),
    async stop() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), CHILD_END_MILLIS_MAX);
      try {
        return await ended;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
