/**
 * The terminal: stdout and stderr of this process.
 */
import type { TextSink } from "../output.ts";

export const terminal: TextSink = {
  write(text) {
    process.stdout.write(text);
  },
  writeError(text) {
    process.stderr.write(text);
  },
  get isTerminal() {
    return process.stdout.isTTY === true;
  },
  get columns() {
    return process.stdout.columns ?? 80;
  },
};

/** Ends quietly when the reader of a pipe has gone (`mayfly tail | head`): that is no failure of ours. */
export function endQuietlyOnClosedPipe(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
}
