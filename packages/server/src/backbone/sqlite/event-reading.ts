/** The reader thread from the caller's side: requests in a bounded queue, one under way at a time. */
import type { Timers } from "@mayfly/core";
import { StoreError } from "../../registry/store.ts";
import { siblingScript, WriterThread } from "../../store/sqlite/writer-thread.ts";
import type { ReadBlock, ReaderReply, ReaderRequest } from "./event-requests.ts";

/** Reads and checkpoints that may wait. */
export const READS_WAITING_MAX = 1_000;

interface Waiting {
  readonly request: ReaderRequest;
  resolve(blocks: readonly ReadBlock[]): void;
  reject(error: StoreError): void;
}

export class EventReading {
  readonly #thread: WriterThread<ReaderRequest, ReaderReply>;
  #waiting: Waiting[] = [];
  #underWay: Waiting | undefined;
  #isClosed = false;
  #trouble: string | undefined;

  constructor(files: readonly string[], timers: Timers) {
    this.#thread = new WriterThread({
      name: "the event reader",
      script: siblingScript(import.meta.url, "event-reader"),
      workerData: files,
      timers,
      reply: (reply) => this.#answered(reply),
      down: (because) => {
        this.#trouble = because;
        this.#failAll(new StoreError("store_failed", because));
      },
      up: () => {
        this.#trouble = undefined;
        this.#post();
      },
    });
  }

  get trouble(): string | undefined {
    return this.#trouble;
  }

  async start(): Promise<void> {
    await this.#thread.start();
  }

  /** @throws {StoreError} the read failed, or too many wait. */
  ask(request: ReaderRequest): Promise<readonly ReadBlock[]> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) reject(new StoreError("closed", "the backbone is closed"));
      else if (this.#waiting.length >= READS_WAITING_MAX || this.#trouble !== undefined) {
        reject(new StoreError("store_failed", this.#trouble ?? "too many reads of events wait"));
      } else {
        this.#waiting.push({ request, resolve, reject });
        this.#post();
      }
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#failAll(new StoreError("closed", "the backbone is closed"));
    await this.#thread.close();
  }

  #post(): void {
    if (this.#underWay !== undefined || !this.#thread.isReady) return;
    this.#underWay = this.#waiting.shift();
    if (this.#underWay !== undefined) this.#thread.post(this.#underWay.request);
  }

  #answered(reply: ReaderReply): void {
    const answered = this.#underWay;
    this.#underWay = undefined;
    if (reply.kind === "failed") answered?.reject(new StoreError(reply.code, reply.message));
    else answered?.resolve(reply.kind === "blocks" ? reply.blocks : []);
    this.#post();
  }

  #failAll(error: StoreError): void {
    const failed = this.#underWay === undefined ? this.#waiting : [this.#underWay, ...this.#waiting];
    this.#underWay = undefined;
    this.#waiting = [];
    for (const one of failed) one.reject(error);
  }
}
