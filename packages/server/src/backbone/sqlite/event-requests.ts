/** What the event writer and the event reader can be asked, as plain values that cross to their threads. */
import type { StoreErrorCode } from "../../registry/store.ts";
import type { Subscription } from "../../telemetry/backbone.ts";

/** How a writer was opened, for its worker data. */
export interface EventWriterData {
  readonly file: string;
  readonly partition: number;
  readonly partitions: number;
  /** Whether a missing file may be made, or means that messages are gone. */
  readonly mayCreate: boolean;
  readonly maxBytes: number | undefined;
}

/** What a writer knows when it is ready. */
export interface EventWriterFacts {
  readonly partitions: number;
  /** Every partition was made: from now on a missing file is a loss. */
  readonly isComplete: boolean;
  readonly subscriptions: readonly StoredSubscription[];
  readonly cursors: readonly StoredCursor[];
}

export interface StoredSubscription {
  /** Ours, random: a subscription made anew under an old id is another one. */
  readonly uid: string;
  readonly subscription: Subscription;
}

export interface StoredCursor {
  readonly uid: string;
  /** Every message of earlier blocks is acknowledged or gone. */
  readonly nextBlock: number;
  readonly removedUnread: number;
  /** Blocks from there on that are acknowledged in part (or whole, ahead of others): a bit a message. */
  readonly acknowledged: readonly (readonly [block: number, bitmap: Uint8Array])[];
}

export interface BlockToWrite {
  readonly registryKey: string;
  readonly count: number;
  readonly buffer: ArrayBuffer;
  readonly length: number;
  readonly lastMs: number;
  /** Somebody follows live: give the buffer back with the answer. */
  readonly isWantedBack: boolean;
}

export interface RegistrySweep {
  readonly registryKey: string;
  readonly beforeMs: number;
  /** What this partition may keep of the registry. */
  readonly bytesMax: number;
}

export interface RegistryTotal {
  readonly registryKey: string;
  readonly bytes: number;
  readonly oldestMs: number;
}

/** Each operation with what it takes and what it answers. */
export interface EventOperations {
  addCursor: { take: { uid: string; registryKey: string; from: "earliest" | "latest" }; answer: number };
  removeCursor: { take: { uid: string }; answer: undefined };
  define: { take: { stored: StoredSubscription }; answer: undefined };
  undefine: { take: { uid: string }; answer: undefined };
  acknowledge: {
    take: {
      uid: string;
      blocks: readonly (readonly [block: number, count: number, indices: readonly number[]])[];
    };
    answer: undefined;
  };
  totals: { take: Record<never, never>; answer: readonly RegistryTotal[] };
  /** Removes a bounded number of blocks. */
  sweep: {
    take: { registries: readonly RegistrySweep[] };
    answer: { readonly removed: number; readonly removedUnread: number; readonly isDone: boolean };
  };
  /** Keys of the registries this partition has a row of. */
  registries: { take: Record<never, never>; answer: readonly string[] };
  /** Removes a bounded part of a registry, its row last. */
  removeRegistry: { take: { registryKey: string }; answer: { readonly isDone: boolean } };
  complete: { take: Record<never, never>; answer: undefined };
  /** Writes and removes some bytes, to learn whether the disk takes them. */
  probe: { take: Record<never, never>; answer: undefined };
}

export type OperationKind = keyof EventOperations;
export type EventOperation = {
  [K in OperationKind]: { readonly kind: K } & Readonly<EventOperations[K]["take"]>;
}[OperationKind];

/** Becomes durable as one transaction, or not at all. */
export interface EventRequest {
  readonly blocks: readonly BlockToWrite[];
  readonly operations: readonly EventOperation[];
  /** The reader has copied most of the log: copy the rest, so that the log starts over. */
  readonly finishCheckpoint: boolean;
}

export interface EventReply {
  readonly failed?: { readonly code: StoreErrorCode; readonly message: string };
  /** Number of the first block; the others follow it. */
  readonly firstBlock: number;
  /** One for each operation. */
  readonly answers: readonly unknown[];
  /** One for each block, where it was wanted back. */
  readonly buffers: readonly (ArrayBuffer | undefined)[];
  /** About how long the write-ahead log is. */
  readonly walBytes: number;
}

export type ReaderRequest =
  | {
      readonly kind: "read";
      readonly partition: number;
      readonly registryKey: string;
      readonly fromBlock: number;
      /** Blocks are read until they hold this many messages. */
      readonly messages: number;
    }
  | { readonly kind: "checkpoint"; readonly partition: number };

export interface ReadBlock {
  readonly block: number;
  readonly count: number;
  readonly data: Uint8Array;
}

export type ReaderReply =
  | { readonly kind: "blocks"; readonly blocks: readonly ReadBlock[] }
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly code: StoreErrorCode; readonly message: string };
