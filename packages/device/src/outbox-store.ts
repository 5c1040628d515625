/**
 * Port: where an outbox outlives its process.
 *
 * A store is asked for room before a message is taken and keeps it behind the agent's back, so that `publish` never
 * waits for a disk; that a message is durable is told later. A message that is settled is told lazily: should that be
 * lost, it is sent once more under its id.
 *
 * Left to others: the files (`host/node/outbox-file.ts`), a small device's flash (`outbox-spill.ts`).
 */
import type { OutboxContents } from "./outbox.ts";

/**
 * How safe a message is. `durable`: it outlives a loss of power. `memory`: it lasts as long as the process, because
 * there is no store, or it is QoS 0. `not_kept`: the store ended before it was written, or a newer state
 * took its place.
 */
export type Durability = "durable" | "memory" | "not_kept";

/**
 * Why a store takes nothing now. `outbox_busy`: it is behind, and has room once something more is durable.
 * `outbox_disk_full`: there is no room for more; it is tried again by itself. `outbox_disk_failed`: the disk refuses to
 * write; this too is tried again.
 */
export type OutboxStoreRefusal = "outbox_busy" | "outbox_disk_full" | "outbox_disk_failed";

export interface OutboxOpening {
  /** Of the next message; above that of every message kept. */
  readonly nextSequence: number;
  /** No other opening of this store has had it: a count, as text of at most 12 ASCII characters; empty if it keeps none. */
  readonly opening: string;
  /** Places where something was kept that is not whole any more, and was skipped. */
  readonly damaged: number;
}

export interface OutboxStore {
  /** What is wrong with the medium, while something is. */
  readonly trouble: OutboxStoreRefusal | undefined;
  /**
   * Called once, first.
   *
   * @param contents What waits, to be looked at until `close`.
   * @param restore Is given the record of each message kept, oldest first.
   */
  open(contents: OutboxContents, restore: (record: Uint8Array) => void): OutboxOpening;
  /** @returns why a record of so many bytes cannot be taken now, `too_large` for never; undefined: the next is. */
  findRefusal(recordBytes: number): OutboxStoreRefusal | "too_large" | undefined;
  /**
   * Takes a record, for which {@link findRefusal} just found nothing.
   *
   * @param record The store's own from now on.
   * @param kept Told once, never synchronously.
   */
  append(sequence: number, record: Uint8Array, kept: (durability: Durability) => void): void;
  /** The message needs no sending any more. Not known here: nothing happens. */
  forget(sequence: number): void;
  /** Writes what it can and takes nothing more. Idempotent; never rejects. */
  close(): Promise<void>;
}
