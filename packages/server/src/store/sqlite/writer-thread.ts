/**
 * A worker thread that owns a database file: started, supervised, and started again when it dies.
 *
 * One request is under way at a time; its owner collects the next one meanwhile (group commit). A thread that
 * dies loses the answer to the request under way, which may or may not be committed: its owner must refuse
 * what it held, and whoever asked will ask again. Restarts back off and are bounded.
 */
import { type Transferable, Worker } from "node:worker_threads";
import type { CancelTimer, Timers } from "@mayfly/core";
import { StoreError, type StoreErrorCode } from "../../registry/store.ts";

/** Consecutive restarts without one that became ready; then an operator has to look. */
export const RESTARTS_MAX = 20;
const RESTART_MILLIS_MIN = 50;
const RESTART_MILLIS_MAX = 10_000;

/** What a writer script posts. The first message is `ready` or `unable`. */
export type FromWriter<Reply> =
  | { readonly kind: "ready"; readonly facts: unknown }
  | { readonly kind: "unable"; readonly code: StoreErrorCode; readonly message: string }
  | { readonly kind: "reply"; readonly reply: Reply };

/** What a writer script is posted. */
export type ToWriter<Request> =
  | { readonly kind: "request"; readonly request: Request }
  | { readonly kind: "close" };

export interface WriterThreadOptions<Reply> {
  /** For messages: "the registry's writer". */
  readonly name: string;
  readonly script: URL;
  readonly workerData: unknown;
  readonly timers: Timers;
  reply(reply: Reply): void;
  /** The thread died; the request under way, if any, has no answer. A restart follows unless `isFinal`. */
  down(because: string, isFinal: boolean): void;
  /** The thread is ready again after it was down. */
  up(): void;
}

/** A script beside its caller: `.ts` where Node runs the source, `.js` where it was built. */
export function siblingScript(callerUrl: string, name: string): URL {
  return new URL(`./${name}${callerUrl.endsWith(".ts") ? ".ts" : ".js"}`, callerUrl);
}

export class WriterThread<Request, Reply> {
  readonly #options: WriterThreadOptions<Reply>;
  #worker: Worker | undefined;
  #isReady = false;
  #isClosing = false;
  #restarts = 0;
  #cancelRestart: CancelTimer | undefined;
  #lastError = "it ended without a word";

  constructor(options: WriterThreadOptions<Reply>) {
    this.#options = options;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** @returns The facts the writer reported when it was ready. @throws {StoreError} as the writer reported. */
  start(): Promise<unknown> {
    return new Promise((resolve, reject) => this.#spawn(resolve, reject));
  }

  /** Only while {@link isReady}, one at a time. */
  post(request: Request, transfer: readonly Transferable[] = []): void {
    this.#worker?.postMessage({ kind: "request", request } satisfies ToWriter<Request>, [...transfer]);
  }

  /** Ends the thread after what was posted. Nothing is told afterwards. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#isReady = false;
    this.#cancelRestart?.();
    const worker = this.#worker;
    if (worker === undefined) return;
    const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    worker.postMessage({ kind: "close" } satisfies ToWriter<Request>);
    await ended;
  }

  #spawn(ready: (facts: unknown) => void, unable: (error: StoreError) => void): void {
    let isSettled = false;
    const worker = new Worker(this.#options.script, { workerData: this.#options.workerData });
    this.#worker = worker;
    worker.on("message", (message: FromWriter<Reply>) => {
      if (message.kind === "reply") {
        // Only an answered request proves the thread well: one that dies right after its start stays counted.
        this.#restarts = 0;
        if (!this.#isClosing) this.#options.reply(message.reply);
      } else if (message.kind === "ready") {
        isSettled = true;
        this.#isReady = !this.#isClosing;
        ready(message.facts);
      } else {
        isSettled = true;
        this.#lastError = message.message;
        unable(new StoreError(message.code, message.message));
      }
    });
    worker.on("error", (error: unknown) => {
      this.#lastError = error instanceof Error ? error.message : String(error);
    });
    worker.on("exit", () => {
      const wasReady = this.#isReady;
      this.#isReady = false;
      this.#worker = undefined;
      if (this.#isClosing) return;
      if (wasReady) this.#restartLater();
      else if (!isSettled)
        unable(new StoreError("store_failed", `${this.#options.name} ended: ${this.#lastError}`));
    });
  }

  #restartLater(): void {
    const isFinal = this.#restarts >= RESTARTS_MAX;
    this.#options.down(`${this.#options.name} ended: ${this.#lastError}`, isFinal);
    if (isFinal || this.#isClosing) return;
    const delay = Math.min(RESTART_MILLIS_MIN * 2 ** this.#restarts, RESTART_MILLIS_MAX);
    this.#restarts += 1;
    this.#cancelRestart = this.#options.timers.after(delay, () =>
      this.#spawn(
        () => this.#options.up(),
        () => this.#restartLater(),
      ),
    );
  }
}
