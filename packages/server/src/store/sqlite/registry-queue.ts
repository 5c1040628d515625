/**
 * Writes on their way to the registry's writer thread: what waits while one batch commits is the next batch.
 *
 * Bounded in number, so that a disk that stands still costs a refusal and not the memory.
 */
import type { Timers } from "@mayfly/core";
import { StoreError } from "../../registry/store.ts";
import type { RegistryBatch, RegistryBatchReply, RegistryCommand } from "./registry-commands.ts";
import { WriterThread } from "./writer-thread.ts";

/** Writes that may wait. */
export const QUEUED_WRITES_MAX = 10_000;
/** Commands in one transaction. */
const BATCH_MAX = 500;

interface Waiting {
  readonly command: RegistryCommand;
  resolve(value: unknown): void;
  reject(error: StoreError): void;
}

export interface RegistryQueueOptions {
  readonly script: URL;
  readonly workerData: unknown;
  readonly timers: Timers;
  /** After each commit, before its answers. */
  committed(): void;
}

export class RegistryQueue {
  readonly #options: RegistryQueueOptions;
  readonly #thread: WriterThread<RegistryBatch, RegistryBatchReply>;
  #waiting: Waiting[] = [];
  #underWay: Waiting[] = [];
  #trouble: string | undefined;
  #isClosed = false;
  #idle: (() => void) | undefined;

  constructor(options: RegistryQueueOptions) {
    this.#options = options;
    this.#thread = new WriterThread({
      name: "the registry's writer",
      script: options.script,
      workerData: options.workerData,
      timers: options.timers,
      reply: (reply) => this.#answered(reply),
      down: (because) => this.#fail(new StoreError("store_failed", because)),
      up: () => {
        this.#trouble = undefined;
        this.#post();
      },
    });
  }

  get size(): number {
    return this.#waiting.length + this.#underWay.length;
  }

  /** Why writes fail at present, if they do. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** @throws {StoreError} the writer could not open the file. */
  async start(): Promise<void> {
    await this.#thread.start();
  }

  write(command: RegistryCommand): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) reject(new StoreError("closed", "the registry store is closed"));
      else if (this.#waiting.length >= QUEUED_WRITES_MAX) {
        reject(new StoreError("store_failed", `more than ${QUEUED_WRITES_MAX} writes wait for the registry`));
      } else {
        this.#waiting.push({ command, resolve, reject });
        // Later, so that whatever this turn of the event loop writes shares a transaction.
        if (this.#waiting.length === 1) queueMicrotask(() => this.#post());
      }
    });
  }

  /** Finishes what waits, then ends the thread. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.size > 0 && this.#thread.isReady) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    this.#fail(new StoreError("closed", "the registry store is closed"));
    await this.#thread.close();
  }

  #post(): void {
    if (this.#underWay.length > 0 || this.#waiting.length === 0) return;
    if (!this.#thread.isReady) {
      this.#fail(new StoreError("store_failed", this.#trouble ?? "the registry's writer is not running"));
      return;
    }
    this.#underWay = this.#waiting.slice(0, BATCH_MAX);
    this.#waiting = this.#waiting.slice(BATCH_MAX);
    this.#thread.post({ commands: this.#underWay.map((one) => one.command) });
  }

  #answered({ results, failed }: RegistryBatchReply): void {
    const answered = this.#underWay;
    this.#underWay = [];
    this.#trouble = failed?.message;
    if (failed === undefined) this.#options.committed();
    for (const [index, one] of answered.entries()) {
      const result = results[index];
      if (result?.ok) one.resolve(result.value);
      else one.reject(new StoreError(result?.code ?? "store_failed", result?.message ?? "no answer"));
    }
    this.#post();
    if (this.size === 0) this.#idle?.();
  }

  #fail(error: StoreError): void {
    const failed = [...this.#underWay, ...this.#waiting];
    this.#underWay = [];
    this.#waiting = [];
    if (error.code !== "closed") this.#trouble = error.message;
    for (const one of failed) one.reject(error);
    this.#idle?.();
  }
}
