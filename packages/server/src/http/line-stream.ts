/**
 * An answer of lines that lasts as long as somebody reads: the reader's pace, a sign of life, an end.
 *
 * Lines are asked for when the reader takes more and when there is news, never kept here. An empty line every 15 s shows
 * both sides that the other is there.
 *
 * Left to others: where lines come from, and what becomes of those a slow reader does not take (`tail.ts`,
 * `presence-stream.ts`).
 */
import { Readable } from "node:stream";
import type { CancelTimer, Timers } from "@mayfly/core";

const heartbeatMillis = 15_000;

export abstract class LineStream extends Readable {
  readonly #timers: Timers;
  #wantsMore = false;
  #isEnded = false;
  #stopHeartbeat: CancelTimer;

  constructor(timers: Timers) {
    super();
    this.#timers = timers;
    this.#stopHeartbeat = timers.after(heartbeatMillis, () => this.#beat());
    // The first bytes carry the response's headers: the reader knows at once that the stream is open.
    this.push("\n");
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** @returns the next line with its line end; undefined where there is none now. */
  abstract nextLine(): string | undefined;

  /** There may be lines: those that the reader takes now leave. */
  flush(): void {
    while (this.#wantsMore && !this.#isEnded) {
      const line = this.nextLine();
      if (line === undefined) return;
      this.#wantsMore = this.push(line);
    }
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#stopHeartbeat();
    this.push(null);
  }

  override _read(): void {
    this.#wantsMore = true;
    this.flush();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#isEnded = true;
    this.#stopHeartbeat();
    done(error);
  }

  #beat(): void {
    if (this.readableLength === 0) this.push("\n");
    this.#stopHeartbeat = this.#timers.after(heartbeatMillis, () => this.#beat());
  }
}
