/**
 * Messages on their way into one partition: what arrives while a commit is under way is the next commit.
 *
 * Messages are encoded as they come, into one open block per registry, so that a batch crosses to the writer
 * as a few buffers in one message, and its answer comes back as one. An idle partition waits for the end of
 * the event loop's turn, so that whatever one read from the network brought shares a commit.
 *
 * When the disk refuses, messages are refused at once and said to be; a probe asks the disk again, less and
 * less often up to {@link PROBE_MILLIS_MAX}, until it takes a write.
 */
import type { CancelTimer, Timers } from "@mayfly/core";
import { StoreError } from "../../registry/store.ts";
import { siblingScript, WriterThread } from "../../store/sqlite/writer-thread.ts";
import type { AppendOutcome, TelemetryMessage } from "../../telemetry/backbone.ts";
import type { DurableMessage } from "../durable-listeners.ts";
import { BlockBuilder, decodeMessage } from "./block.ts";
import type {
  EventOperation,
  EventOperations,
  EventReply,
  EventRequest,
  EventWriterData,
  EventWriterFacts,
  OperationKind,
} from "./event-requests.ts";
import { messageIdOf, messageIdPrefix } from "./message-id.ts";

/** Bytes of blocks in one commit; one more block may pass it. */
const BATCH_BYTES_SOFT_MAX = 4 * 1024 * 1024;
/** Operations that may wait; beyond it they are refused. */
export const OPERATIONS_WAITING_MAX = 10_000;
/** Operations in one commit. */
const OPERATIONS_PER_BATCH_MAX = 100;
const PROBE_MILLIS_MIN = 250;
export const PROBE_MILLIS_MAX = 5_000;
/** A log this long is checkpointed, by the reader first. */
const CHECKPOINT_BYTES = 8 * 1024 * 1024;
const BLOCK_BYTES_MIN = 4 * 1024;
const BLOCK_BYTES_EXPECTED_MAX = 256 * 1024;

type Done = (outcome: AppendOutcome) => void;
export type RefusedBecause = Extract<AppendOutcome, { kind: "refused" }>["because"];

/** A block that is being filled, or waits, or is being written. */
interface PendingBlock {
  readonly registryKey: string;
  readonly builder: BlockBuilder;
  readonly dones: Done[];
}

interface WaitingOperation {
  readonly operation: EventOperation;
  resolve(answer: unknown): void;
  reject(error: StoreError): void;
}

/** What waits in the whole process, shared by its partitions: the bound is on the sum. */
export interface QueuedTotals {
  messages: number;
  bytes: number;
}

export interface PartitionQueueOptions {
  readonly writer: EventWriterData;
  readonly timers: Timers;
  readonly queued: QueuedTotals;
  isTailed(registryKey: string): boolean;
  /** After the acknowledgements of a block; `messages` only where the registry was tailed. */
  durable(registryKey: string, messages: readonly DurableMessage[]): void;
  /** Copies most of the log into the database, on another thread. */
  checkpoint(): Promise<unknown>;
}

export class PartitionQueue {
  readonly #options: PartitionQueueOptions;
  readonly #thread: WriterThread<EventRequest, EventReply>;
  readonly #open = new Map<string, PendingBlock>();
  #sealed: PendingBlock[] = [];
  #operations: WaitingOperation[] = [];
  #underWay:
    | { readonly blocks: readonly PendingBlock[]; readonly operations: readonly WaitingOperation[] }
    | undefined;
  #isTurnAwaited = false;
  #bytesExpected = BLOCK_BYTES_MIN;
  #trouble: { readonly because: RefusedBecause; readonly sentence: string } | undefined;
  #probeMillis = PROBE_MILLIS_MIN;
  #cancelProbe: CancelTimer | undefined;
  #checkpoint: "none" | "copying" | "to_finish" = "none";
  #isClosing = false;
  #drained: (() => void) | undefined;

  constructor(options: PartitionQueueOptions) {
    this.#options = options;
    this.#thread = new WriterThread({
      name: `the event writer of partition ${options.writer.partition}`,
      script: siblingScript(import.meta.url, "event-writer"),
      workerData: options.writer,
      timers: options.timers,
      reply: (reply) => this.#answered(reply),
      down: (because, isFinal) => this.#threadDied(because, isFinal),
      up: () => this.#recovered(),
    });
  }

  /** Why messages are refused at present, if they are. */
  get trouble(): { readonly because: RefusedBecause; readonly sentence: string } | undefined {
    return this.#trouble;
  }

  /** @throws {StoreError} the file could not be opened. */
  async start(): Promise<EventWriterFacts> {
    return (await this.#thread.start()) as EventWriterFacts;
  }

  append(registryKey: string, message: TelemetryMessage, done: Done): void {
    if (this.#trouble !== undefined) {
      refuseLater([done], this.#trouble.because);
      return;
    }
    let block = this.#open.get(registryKey);
    if (block === undefined) {
      block = { registryKey, builder: new BlockBuilder(this.#bytesExpected), dones: [] };
      this.#open.set(registryKey, block);
    }
    const { builder, dones } = block;
    const bytesBefore = builder.length;
    if (!builder.add(message)) {
      // An empty block must not stay behind: a block has at least one message.
      if (builder.count === 0) this.#open.delete(registryKey);
      refuseLater([done], "store_failed");
      return;
    }
    dones.push(done);
    this.#options.queued.messages += 1;
    this.#options.queued.bytes += builder.length - bytesBefore;
    if (builder.isFull) {
      this.#open.delete(registryKey);
      this.#sealed.push(block);
    }
    this.#flushAtEndOfTurn();
  }

  /** @throws {StoreError} nothing of the operation was written. */
  operate<K extends OperationKind>(
    kind: K,
    take: EventOperations[K]["take"],
  ): Promise<EventOperations[K]["answer"]> {
    const operation = { kind, ...take } as unknown as EventOperation;
    return new Promise<unknown>((resolve, reject) => {
      if (this.#isClosing) reject(new StoreError("closed", "the backbone is closed"));
      else if (this.#operations.length >= OPERATIONS_WAITING_MAX) {
        reject(new StoreError("store_failed", "too many operations wait for this partition"));
      } else {
        this.#operations.push({ operation, resolve, reject });
        this.#flushAtEndOfTurn();
      }
    }) as Promise<EventOperations[K]["answer"]>;
  }

  /** Makes what waits durable, or refuses it where that is impossible, and ends the thread. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#cancelProbe?.();
    this.#flush();
    if (this.#underWay !== undefined) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
    }
    this.#refuseWaiting("closed", new StoreError("closed", "the backbone is closed"));
    await this.#thread.close();
  }

  #flushAtEndOfTurn(): void {
    if (this.#isTurnAwaited || this.#underWay !== undefined) return;
    this.#isTurnAwaited = true;
    setImmediate(() => {
      this.#isTurnAwaited = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#underWay !== undefined) return;
    if (!this.#thread.isReady) {
      const error = new StoreError(
        "store_failed",
        this.#trouble?.sentence ?? "the event writer is not running",
      );
      if (!this.#isClosing) this.#refuseWaiting("store_failed", error);
      return;
    }
    const blocks = this.#takeBlocks();
    const operations = this.#operations.splice(0, OPERATIONS_PER_BATCH_MAX);
    const finishCheckpoint = this.#checkpoint === "to_finish";
    if (blocks.length === 0 && operations.length === 0 && !finishCheckpoint) {
      this.#drained?.();
      return;
    }
    if (finishCheckpoint) this.#checkpoint = "none";
    this.#underWay = { blocks, operations };
    const toWrite = blocks.map(({ registryKey, builder }) => ({
      registryKey,
      count: builder.count,
      lastMs: builder.lastMs,
      isWantedBack: this.#options.isTailed(registryKey),
      ...builder.seal(),
    }));
    this.#thread.post(
      { blocks: toWrite, operations: operations.map((one) => one.operation), finishCheckpoint },
      toWrite.map((block) => block.buffer),
    );
  }

  /** Sealed blocks first: an open block of the same registry is younger. */
  #takeBlocks(): PendingBlock[] {
    const taken: PendingBlock[] = [];
    let bytes = 0;
    let sealed = 0;
    for (const block of this.#sealed) {
      if (bytes >= BATCH_BYTES_SOFT_MAX) break;
      taken.push(block);
      bytes += block.builder.length;
      sealed += 1;
    }
    this.#sealed = this.#sealed.slice(sealed);
    if (this.#sealed.length > 0) return taken;
    for (const [registryKey, block] of this.#open) {
      if (bytes >= BATCH_BYTES_SOFT_MAX) break;
      taken.push(block);
      bytes += block.builder.length;
      this.#open.delete(registryKey);
    }
    return taken;
  }

  #answered(reply: EventReply): void {
    const answered = this.#underWay;
    if (answered === undefined) return;
    this.#underWay = undefined;
    const { blocks, operations } = answered;
    this.#uncount(blocks);
    if (reply.failed !== undefined) {
      const error = new StoreError(reply.failed.code, reply.failed.message);
      const because = error.code === "disk_full" ? "disk_full" : "store_failed";
      const isProbe = operations.some((one) => one.operation.kind === "probe");
      if (blocks.length > 0 || isProbe) this.#trouble = { because, sentence: error.message };
      for (const block of blocks) refuse(block.dones, because);
      // What waits behind is refused too, in its order: the disk would only say the same again.
      if (this.#trouble !== undefined)
        for (const block of this.#takeAllBlocks()) refuse(block.dones, because);
      if (this.#trouble !== undefined) this.#armProbe();
      for (const one of operations) one.reject(error);
    } else {
      for (const [index, block] of blocks.entries()) {
        this.#blockDurable(block, reply.firstBlock + index, reply.buffers[index]);
      }
      for (const [index, one] of operations.entries()) one.resolve(reply.answers[index]);
    }
    this.#checkpointIfLong(reply.walBytes);
    this.#flush();
  }

  #blockDurable(
    { registryKey, builder, dones }: PendingBlock,
    block: number,
    buffer: ArrayBuffer | undefined,
  ): void {
    const { partition } = this.#options.writer;
    const prefix = messageIdPrefix(block, partition);
    // The next block of this partition is likely to be as long as this one.
    this.#bytesExpected = expectedBytes(builder.length);
    for (const [index, done] of dones.entries()) {
      done({ kind: "durable", messageId: messageIdOf(prefix, index) });
    }
    const messages = buffer === undefined ? [] : decodeAll(buffer, builder, registryKey, partition, block);
    this.#options.durable(registryKey, messages);
  }

  #checkpointIfLong(walBytes: number): void {
    if (walBytes < CHECKPOINT_BYTES || this.#checkpoint !== "none" || this.#isClosing) return;
    this.#checkpoint = "copying";
    const finish = (): void => {
      this.#checkpoint = "to_finish";
      this.#flushAtEndOfTurn();
    };
    // Where the reader can't, the writer copies all of it.
    this.#options.checkpoint().then(finish, finish);
  }

  #armProbe(): void {
    if (this.#cancelProbe !== undefined || this.#isClosing) return;
    this.#cancelProbe = this.#options.timers.after(this.#probeMillis, () => {
      this.operate("probe", {}).then(
        () => this.#recovered(),
        () => {
          this.#cancelProbe = undefined;
          this.#armProbe();
        },
      );
    });
    this.#probeMillis = Math.min(this.#probeMillis * 2, PROBE_MILLIS_MAX);
  }

  #recovered(): void {
    this.#trouble = undefined;
    this.#cancelProbe?.();
    this.#cancelProbe = undefined;
    this.#probeMillis = PROBE_MILLIS_MIN;
    this.#flush();
  }

  #threadDied(because: string, isFinal: boolean): void {
    const sentence = isFinal
      ? `${because}; it was restarted too often and stays down`
      : `${because}; it is being restarted`;
    const error = new StoreError("store_failed", sentence);
    this.#trouble = { because: "store_failed", sentence };
    this.#cancelProbe?.();
    this.#checkpoint = "none";
    const lost = this.#underWay;
    this.#underWay = undefined;
    if (lost !== undefined) {
      this.#uncount(lost.blocks);
      for (const block of lost.blocks) refuse(block.dones, "store_failed");
      for (const one of lost.operations) one.reject(error);
    }
    this.#refuseWaiting("store_failed", error);
    this.#drained?.();
  }

  #refuseWaiting(because: RefusedBecause, error: StoreError): void {
    for (const block of this.#takeAllBlocks()) refuse(block.dones, because);
    const operations = this.#operations;
    this.#operations = [];
    for (const one of operations) one.reject(error);
  }

  #takeAllBlocks(): PendingBlock[] {
    const all = [...this.#sealed, ...this.#open.values()];
    this.#sealed = [];
    this.#open.clear();
    this.#uncount(all);
    return all;
  }

  #uncount(blocks: readonly PendingBlock[]): void {
    for (const { builder } of blocks) {
      this.#options.queued.messages -= builder.count;
      this.#options.queued.bytes -= builder.length;
    }
  }
}

function decodeAll(
  buffer: ArrayBuffer,
  builder: BlockBuilder,
  registryKey: string,
  partition: number,
  block: number,
): DurableMessage[] {
  const bytes = new Uint8Array(buffer, 0, builder.length);
  const place = { registryKey, partition, block, count: builder.count };
  return Array.from({ length: builder.count }, (_, index) => decodeMessage(bytes, place, index));
}

/** A power of two with room to spare, so that a block seldom grows and never wastes much. */
function expectedBytes(length: number): number {
  let bytes = BLOCK_BYTES_MIN;
  while (bytes < length * 1.25 && bytes < BLOCK_BYTES_EXPECTED_MAX) bytes *= 2;
  return bytes;
}

function refuse(dones: readonly Done[], because: RefusedBecause): void {
  for (const done of dones) done({ kind: "refused", because });
}

/** For answers to a call that has not returned yet. */
export function refuseLater(dones: readonly Done[], because: RefusedBecause): void {
  setImmediate(() => refuse(dones, because));
}
