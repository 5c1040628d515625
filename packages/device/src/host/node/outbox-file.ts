/**
 * Outbox in files: messages that outlive the process and a loss of power, appended to segments of a fixed size.
 *
 * Room first: a segment is on the disk at its full size before a message is taken for it, so a full disk refuses new
 * messages and never fails one that was accepted. What waits is written in one go and synced once for all (group commit),
 * off the event loop. That a message is settled is appended without a sync; a segment whose messages are all settled is
 * removed, oldest first, and when too many are held by a few old messages, those are written again at the end.
 *
 * Left to others: frames and their checksums (`outbox-segment.ts`), the disk (`segment-files.ts`).
 */
import type { OutboxContents } from "../../outbox.ts";
import { findRecordHead } from "../../outbox-record.ts";
import type { Durability, OutboxOpening, OutboxStore, OutboxStoreRefusal } from "../../outbox-store.ts";
import { type FolderLock, takeFolder } from "./folder-lock.ts";
import { decodeSegment, encodeFrame, messageFrameBytes, settledFrameBytes } from "./outbox-segment.ts";
import {
  closeSegment,
  findSegments,
  makeFirstSegment,
  makeSegment,
  readSegment,
  removeSegment,
  writeSegment,
} from "./segment-files.ts";

export const segmentBytesDefault = 1024 * 1024;
/** Accepted and not yet written, in bytes of the file; above that `outbox_busy`. One message may exceed it. */
export const unwrittenBytesMax = 1024 * 1024;
/** How soon a disk that failed or was full is tried again, if nothing was removed meanwhile. */
export const diskRetryMillis = 1_000;
const settledPerFrameMax = 4_096;

export interface FileOutboxOptions {
  /** Made if it is not there; owner-only; for this outbox alone. */
  readonly folder: string;
  /** `bytesMax` of the outbox it serves. The files take at most four times that and four segments. */
  readonly bytesMax: number;
  /** 4 KiB to 64 MiB; no message is larger. Default {@link segmentBytesDefault}. */
  readonly segmentBytes?: number;
}

/** `outbox_locked`: another agent has the folder. `outbox_unusable`: it cannot be made or read; see `cause`. */
export type FileOutboxErrorCode = "outbox_locked" | "outbox_unusable";

export class FileOutboxError extends Error {
  override readonly name = "FileOutboxError";
  readonly code: FileOutboxErrorCode;

  constructor(code: FileOutboxErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Takes the folder, and reads nothing yet. @throws {FileOutboxError} */
export function openFileOutbox(options: FileOutboxOptions): OutboxStore {
  const { folder } = options;
  let lock: FolderLock | undefined;
  try {
    lock = takeFolder(folder);
  } catch (cause) {
    throw new FileOutboxError("outbox_unusable", `cannot open ${folder}: ${codeOf(cause)}`, { cause });
  }
  if (lock === undefined) throw new FileOutboxError("outbox_locked", `another agent has ${folder} open`);
  return new FileOutbox(options, lock);
}

interface Segment {
  readonly number: number;
  /** Open for as long as it may be written. */
  readonly descriptor: number | undefined;
  /** Bytes given to frames; what comes later begins here. */
  used: number;
  /** Messages that need it: their newest frame is here. */
  live: number;
  /** Frames placed here and not written yet. */
  unwritten: number;
  /** Messages whose newest frame is elsewhere and not durable yet. */
  leaving: number;
}

interface Job {
  readonly sequence: number;
  readonly record: Uint8Array;
  readonly kept: (durability: Durability) => void;
  /** Where the frame goes, once there is room; the segment that had the message before, if any. */
  segment: Segment | undefined;
  at: number;
  from: Segment | undefined;
}

interface Batch {
  readonly segment: Segment;
  readonly jobs: readonly Job[];
  readonly settled: readonly number[];
  /** Where the frame of `settled` goes, behind those of `jobs`. */
  readonly settledAt: number;
}

class FileOutbox implements OutboxStore {
  readonly #folder: string;
  readonly #lock: FolderLock;
  readonly #segmentBytes: number;
  readonly #segmentsMax: number;
  /** Oldest first. */
  #segments: Segment[] = [];
  /** The last of them, while it can be written. */
  #current: Segment | undefined;
  /** Ready for when the current one is full. */
  #spare: Segment | undefined;
  #nextNumber = 1;
  /** By sequence, of every message that is not settled: which segment it needs. */
  readonly #home = new Map<number, Segment>();
  /** In the order of their places; those without one come first. */
  #unwritten: Job[] = [];
  #unwrittenBytes = 0;
  #settled: number[] = [];
  #trouble: OutboxStoreRefusal | undefined;
  #contents: OutboxContents | undefined;
  #isPumping = false;
  #pumped: Promise<void> = Promise.resolve();
  #isPreparing = false;
  #prepared: Promise<void> = Promise.resolve();
  #retry: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;

  constructor({ folder, bytesMax, segmentBytes = segmentBytesDefault }: FileOutboxOptions, lock: FolderLock) {
    this.#folder = folder;
    this.#lock = lock;
    this.#segmentBytes = segmentBytes;
    this.#segmentsMax = Math.ceil((4 * bytesMax) / segmentBytes) + 4;
  }

  get trouble(): OutboxStoreRefusal | undefined {
    return this.#trouble;
  }

  open(contents: OutboxContents, restore: (record: Uint8Array) => void): OutboxOpening {
    this.#contents = contents;
    const { kept, nextSequence, damaged } = this.#recover();
    for (const { record, sequence, segment } of kept) {
      restore(record);
      this.#home.set(sequence, segment);
      segment.live += 1;
    }
    const opening = this.#nextNumber.toString(36);
    this.#makeFirst();
    this.#pump();
    return { nextSequence, opening, damaged };
  }

  findRefusal(recordBytes: number): OutboxStoreRefusal | "too_large" | undefined {
    const frame = messageFrameBytes(recordBytes);
    if (frame > this.#segmentBytes) return "too_large";
    if (this.#closed !== undefined) return "outbox_disk_failed";
    const isUnplaced = this.#unwritten.length > 0 && this.#unwritten[0]?.segment === undefined;
    if (isUnplaced) return this.#trouble ?? "outbox_busy";
    if (this.#unwrittenBytes > 0 && this.#unwrittenBytes + frame > unwrittenBytesMax) return "outbox_busy";
    // The last segment is for moving out of the oldest, lest a few old messages stop all new ones.
    const isRoom = this.#fits(frame) ? !this.#isAtBound(0) : this.#spare !== undefined && !this.#isAtBound(1);
    return isRoom ? undefined : (this.#trouble ?? "outbox_busy");
  }

  append(sequence: number, record: Uint8Array, kept: (durability: Durability) => void): void {
    this.#enqueue({ sequence, record, kept, segment: undefined, at: 0, from: undefined });
    this.#pump();
  }

  forget(sequence: number): void {
    const segment = this.#home.get(sequence);
    if (segment === undefined) return;
    this.#home.delete(sequence);
    segment.live -= 1;
    this.#settled.push(sequence);
    this.#pump();
  }

  close(): Promise<void> {
    this.#closed ??= this.#finish();
    return this.#closed;
  }

  /** Reads every segment in order: a message counts until a later frame says it is settled. */
  #recover(): {
    readonly kept: readonly { record: Uint8Array; sequence: number; segment: Segment }[];
    readonly nextSequence: number;
    readonly damaged: number;
  } {
    const found = new Map<number, { record: Uint8Array; sequence: number; segment: Segment }>();
    let nextSequence = 0;
    let damaged = 0;
    try {
      for (const number of findSegments(this.#folder)) {
        const segment = newSegment(number, undefined);
        this.#segments.push(segment);
        this.#nextNumber = number + 1;
        const frames = decodeSegment(readSegment(this.#folder, number), number);
        damaged += frames.damaged;
        for (const body of frames.bodies) {
          if (body.kind === "settled") {
            for (const sequence of body.sequences) {
              found.delete(sequence);
              nextSequence = Math.max(nextSequence, sequence + 1);
            }
            continue;
          }
          const head = findRecordHead(body.record);
          if (head === undefined) continue;
          // A copy, lest one message hold a whole file in memory.
          const record = new Uint8Array(body.record);
          found.set(head.sequence, { record, sequence: head.sequence, segment });
          nextSequence = Math.max(nextSequence, head.sequence + 1);
        }
      }
    } catch (cause) {
      const what = `cannot read the outbox in ${this.#folder}: ${codeOf(cause)}`;
      throw new FileOutboxError("outbox_unusable", what, { cause });
    }
    const kept = [...found.values()].sort((a, b) => a.sequence - b.sequence);
    return { kept, nextSequence, damaged };
  }

  #makeFirst(): void {
    const number = this.#nextNumber;
    this.#nextNumber += 1;
    try {
      const descriptor = makeFirstSegment(this.#folder, number, this.#segmentBytes);
      this.#current = newSegment(number, descriptor);
      this.#segments.push(this.#current);
      this.#prepare();
    } catch (error) {
      this.#failed(error);
    }
  }

  #enqueue(job: Job): void {
    this.#unwrittenBytes += messageFrameBytes(job.record.length);
    this.#unwritten.push(job);
    this.#place(job);
  }

  /** Whether no more than `left` segments may be made. */
  #isAtBound(left: number): boolean {
    return this.#segments.length >= this.#segmentsMax - left;
  }

  #fits(frame: number): boolean {
    return this.#current !== undefined && this.#current.used + frame <= this.#segmentBytes;
  }

  /** Makes the current segment have room for a frame, if the spare one can help. */
  #hasRoom(frame: number): boolean {
    if (!this.#fits(frame) && this.#spare !== undefined) {
      this.#current = this.#spare;
      this.#spare = undefined;
      this.#segments.push(this.#current);
    }
    this.#prepare();
    return this.#fits(frame);
  }

  #place(job: Job): boolean {
    const frame = messageFrameBytes(job.record.length);
    if (!this.#hasRoom(frame) || this.#current === undefined) return false;
    const before = this.#home.get(job.sequence);
    if (before !== undefined) {
      before.live -= 1;
      if (job.from === undefined) {
        job.from = before;
        before.leaving += 1;
      }
    }
    job.segment = this.#current;
    job.at = this.#current.used;
    this.#current.used += frame;
    this.#current.live += 1;
    this.#current.unwritten += 1;
    this.#home.set(job.sequence, this.#current);
    return true;
  }

  /** Makes the next segment before it is needed. */
  #prepare(): void {
    const isNeeded = this.#current === undefined || this.#current.used > this.#segmentBytes / 2;
    const mayBe = !this.#isAtBound(0) && this.#retry === undefined;
    if (!isNeeded || !mayBe || this.#spare !== undefined || this.#isPreparing) return;
    if (this.#closed !== undefined) return;
    this.#isPreparing = true;
    const number = this.#nextNumber;
    this.#nextNumber += 1;
    this.#prepared = makeSegment(this.#folder, number, this.#segmentBytes).then(
      (descriptor) => {
        this.#isPreparing = false;
        this.#spare = newSegment(number, descriptor);
        this.#trouble = undefined;
        this.#pump();
      },
      (error: unknown) => {
        this.#isPreparing = false;
        this.#failed(error);
      },
    );
  }

  #failed(error: unknown): void {
    this.#trouble = isFull(error) ? "outbox_disk_full" : "outbox_disk_failed";
    if (this.#closed !== undefined) return;
    this.#retry ??= setTimeout(() => this.#tryAgain(), diskRetryMillis);
  }

  #tryAgain(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#prepare();
  }

  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    this.#pumped = this.#write();
  }

  /** Writes until nothing is left that can be written. Never rejects. */
  async #write(): Promise<void> {
    // What is published in one go is written in one go.
    await undefined;
    try {
      for (;;) {
        await this.#removeSpent();
        this.#rescue();
        const batch = this.#takeBatch();
        if (batch === undefined) return;
        try {
          await this.#writeBatch(batch);
        } catch (error) {
          this.#takeBack(batch, error);
        }
      }
    } finally {
      this.#isPumping = false;
    }
  }

  async #removeSpent(): Promise<void> {
    for (;;) {
      const [oldest] = this.#segments;
      if (oldest === undefined || oldest === this.#current) return;
      if (oldest.live > 0 || oldest.unwritten > 0 || oldest.leaving > 0) return;
      this.#segments.shift();
      await removeSegment(this.#folder, oldest.number, oldest.descriptor);
      // There is room now, if that was what was missing.
      if (this.#retry !== undefined) this.#tryAgain();
      else this.#prepare();
    }
  }

  /** With nearly all segments in use, what the oldest still holds is written anew behind the others. */
  #rescue(): void {
    const [oldest] = this.#segments;
    if (oldest === undefined || oldest === this.#current || oldest.live === 0) return;
    if (!this.#isAtBound(1) || oldest.unwritten > 0 || oldest.leaving > 0) return;
    this.#contents?.visit((record, sequence) => {
      if (this.#home.get(sequence) !== oldest) return;
      if (!this.#hasRoom(messageFrameBytes(record.length))) return;
      const copy = record.slice();
      this.#enqueue({ sequence, record: copy, kept: () => {}, segment: undefined, at: 0, from: undefined });
    });
  }

  /** What goes into one segment in one write. */
  #takeBatch(): Batch | undefined {
    this.#placeAll();
    const segment = this.#unwritten.length > 0 ? this.#unwritten[0]?.segment : this.#roomForSettled();
    if (segment === undefined) return undefined;
    let count = 0;
    while (this.#unwritten[count]?.segment === segment) count += 1;
    const jobs = this.#unwritten.splice(0, count);
    // Behind what is placed; so only where nothing more is.
    const settledAt = segment.used;
    const settled = segment === this.#current ? this.#settled.slice(0, this.#settledThatFit(segment)) : [];
    this.#settled.splice(0, settled.length);
    if (settled.length > 0) segment.used += settledFrameBytes(settled.length);
    return jobs.length + settled.length === 0 ? undefined : { segment, jobs, settled, settledAt };
  }

  /** Finds places for what lost its own. */
  #placeAll(): void {
    const waiting = this.#unwritten;
    for (let i = 0; i < waiting.length; i++) {
      const job = waiting[i];
      if (job === undefined || job.segment !== undefined) return;
      if (!this.#home.has(job.sequence)) {
        // Settled meanwhile: nobody needs it on the disk.
        waiting.splice(i, 1);
        i -= 1;
        this.#ended(job, "not_kept");
      } else if (!this.#place(job)) return;
    }
  }

  #roomForSettled(): Segment | undefined {
    if (this.#settled.length === 0) return undefined;
    const frame = settledFrameBytes(2);
    const mayTurn = !this.#isAtBound(1);
    return this.#fits(frame) || (mayTurn && this.#hasRoom(frame)) ? this.#current : undefined;
  }

  #settledThatFit(segment: Segment): number {
    const fit = Math.floor((this.#segmentBytes - segment.used - settledFrameBytes(0)) / 6);
    return Math.max(0, Math.min(fit, settledPerFrameMax, this.#settled.length));
  }

  async #writeBatch({ segment, jobs, settled, settledAt }: Batch): Promise<void> {
    const start = jobs[0]?.at ?? settledAt;
    const last = jobs[jobs.length - 1];
    const jobsEnd = last === undefined ? settledAt : last.at + messageFrameBytes(last.record.length);
    const end = settled.length === 0 ? jobsEnd : settledAt + settledFrameBytes(settled.length);
    const bytes = Buffer.alloc(end - start);
    for (const { at, record } of jobs) {
      encodeFrame(bytes, at - start, segment.number, { kind: "message", record });
    }
    if (settled.length > 0) {
      encodeFrame(bytes, settledAt - start, segment.number, { kind: "settled", sequences: settled });
    }
    await writeSegment(segment.descriptor ?? -1, bytes, start, jobs.length > 0);
    for (const job of jobs) {
      segment.unwritten -= 1;
      this.#ended(job, "durable");
    }
  }

  #ended(job: Job, durability: Durability): void {
    this.#unwrittenBytes -= messageFrameBytes(job.record.length);
    if (job.from !== undefined) job.from.leaving -= 1;
    job.kept(durability);
  }

  /** After a failure nothing more goes into that segment: what a sync that failed has lost, nobody knows. */
  #takeBack({ segment, jobs, settled }: Batch, error: unknown): void {
    this.#settled.unshift(...settled);
    segment.used = this.#segmentBytes;
    if (this.#current === segment) this.#current = undefined;
    this.#unwritten.unshift(...jobs);
    for (const job of this.#unwritten) {
      if (job.segment === undefined) continue;
      job.segment.unwritten -= 1;
      // Later ones were not begun: their room is as good as new.
      if (job.segment !== segment) job.segment.used = Math.min(job.segment.used, job.at);
      job.segment = undefined;
    }
    this.#failed(error);
  }

  async #finish(): Promise<void> {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    await this.#prepared;
    this.#pump();
    await this.#pumped;
    for (const job of this.#unwritten.splice(0)) this.#ended(job, "not_kept");
    const all = this.#spare === undefined ? this.#segments : [...this.#segments, this.#spare];
    for (const { descriptor } of all) if (descriptor !== undefined) await closeSegment(descriptor);
    this.#lock.release();
  }
}

function newSegment(number: number, descriptor: number | undefined): Segment {
  return { number, descriptor, used: 0, live: 0, unwritten: 0, leaving: 0 };
}

function isFull(error: unknown): boolean {
  const code = codeOf(error);
  return code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG";
}

function codeOf(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return error instanceof Error ? error.name : "unknown";
}
