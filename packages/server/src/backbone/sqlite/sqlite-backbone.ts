/**
 * The backbone in SQLite files: P partitions, a writer thread each, one reader thread for pulls.
 *
 * This file puts the parts together and keeps the subscriptions; `partition-queue.ts` is the path of a
 * message, `subscription-reader.ts` the path of a pull. The number of partitions is fixed when the folder is
 * made, since a device's partition follows from it.
 */
import { join } from "node:path";
import type { CancelTimer, Clock, Random, Timers } from "@mayfly/core";
import { type EventRetention, eventRetentionDefault, type RegistryIdentity } from "../../registry/model.ts";
import { StoreError } from "../../registry/store.ts";
import { drawNumId } from "../../store/num-id.ts";
import { checkSqliteVersion } from "../../store/sqlite/database.ts";
import { acquireServeLock, type ServeLock } from "../../store/sqlite/serve-lock.ts";
import type {
  AppendOutcome,
  Backbone,
  BackboneStatus,
  ReceivedMessage,
  Subscription,
  TelemetryMessage,
} from "../../telemetry/backbone.ts";
import { PULL_MAX, QUEUED_BYTES_MAX, QUEUED_MESSAGES_MAX, SWEEP_MILLIS } from "../bounds.ts";
import type { BackboneCounters } from "../counters.ts";
import { DurableListeners, type DurableMessage } from "../durable-listeners.ts";
import { parseRegistryKey, registryKeyOf } from "../registry-key.ts";
import { encodedBytesMax } from "./block.ts";
import { BlockCache } from "./block-cache.ts";
import { partitionOf } from "./device-partition.ts";
import { EventReading } from "./event-reading.ts";
import type { EventWriterFacts } from "./event-requests.ts";
import { LeaseBook } from "./lease-book.ts";
import { PARTITIONS_MAX } from "./message-id.ts";
import { PartitionQueue, refuseLater } from "./partition-queue.ts";
import { planSweep } from "./retention-plan.ts";
import { SubscriptionReader } from "./subscription-reader.ts";

export interface SqliteBackboneOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** Made (0700) where missing; holds `events-0.db` …, and `events.lock`. */
  readonly folder: string;
  /** 1 to 64, default 4. Counts when the folder is made; later the folder knows. */
  readonly partitions?: number;
  /** Each partition's file stops growing here, and messages are refused `disk_full` until retention made room. */
  readonly maxBytesPerFile?: number;
}

export type SqliteBackbone = Backbone & { counters(): BackboneCounters };

const PARTITIONS_DEFAULT = 4;

/**
 * @throws {StoreError} locked: another process serves this folder; schema_too_new: a later Mayfly wrote it;
 *   store_failed: a partition is missing or can't be opened, or SQLite is too old.
 */
export async function openSqliteBackbone(options: SqliteBackboneOptions): Promise<SqliteBackbone> {
  checkSqliteVersion();
  const partitions = options.partitions ?? PARTITIONS_DEFAULT;
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > PARTITIONS_MAX) {
    throw new StoreError("store_failed", `${partitions} partitions: there may be 1 to ${PARTITIONS_MAX}`);
  }
  const lock = acquireServeLock(join(options.folder, "events.lock"));
  const backbone = new InSqlite(options, lock);
  try {
    await backbone.start(partitions);
    return backbone;
  } catch (error) {
    await backbone.close();
    throw error;
  }
}

class InSqlite implements SqliteBackbone {
  readonly #options: SqliteBackboneOptions;
  readonly #lock: ServeLock;
  readonly #partitions: PartitionQueue[] = [];
  readonly #queued = { messages: 0, bytes: 0 };
  readonly #listeners = new DurableListeners();
  readonly #retentions = new Map<string, EventRetention>();
  readonly #subscriptions = new Map<string, SubscriptionReader>();
  /** Names being created or deleted, so that two calls don't cross. */
  readonly #changing = new Set<string>();
  readonly #cache = new BlockCache();
  readonly #epoch: string;
  #reading: EventReading | undefined;
  #cancelSweep: CancelTimer | undefined;
  #removedUnread = 0;
  #isClosed = false;

  constructor(options: SqliteBackboneOptions, lock: ServeLock) {
    this.#options = options;
    this.#lock = lock;
    this.#epoch = Buffer.from(options.random.fill(new Uint8Array(6))).toString("hex");
  }

  async start(partitionsWanted: number): Promise<void> {
    const first = await this.#startPartition(0, partitionsWanted, true);
    const facts = [first];
    for (let number = 1; number < first.partitions; number += 1) {
      facts.push(await this.#startPartition(number, first.partitions, !first.isComplete));
    }
    if (!first.isComplete) await this.#partition(0).operate("complete", {});
    const files = facts.map((_, number) => this.#file(number));
    this.#reading = new EventReading(files, this.#options.timers);
    await this.#reading.start();
    await this.#restoreSubscriptions(first, facts);
    this.#armSweep();
  }

  append(message: TelemetryMessage, done: (outcome: AppendOutcome) => void): void {
    if (this.#isClosed) {
      refuseLater([done], "closed");
      return;
    }
    const isOver = this.#queued.bytes + encodedBytesMax(message) > QUEUED_BYTES_MAX;
    if (isOver || this.#queued.messages >= QUEUED_MESSAGES_MAX) {
      refuseLater([done], "queue_full");
      return;
    }
    const key = registryKeyOf(message.registry);
    this.#partition(partitionOf(key, message.deviceId, this.#partitions.length)).append(key, message, done);
  }

  async createSubscription(
    subscription: Omit<Subscription, "createdMs">,
    from: "earliest" | "latest",
  ): Promise<Subscription> {
    this.#refuseIfClosed();
    const path = subscriptionPath(subscription.registry.project, subscription.id);
    if (this.#subscriptions.has(path) || this.#changing.has(path)) {
      throw new StoreError("already_exists", `subscription ${subscription.id} exists already`);
    }
    this.#changing.add(path);
    try {
      const made = { ...subscription, createdMs: Math.round(this.#options.clock.wallSeconds() * 1000) };
      const uid = drawNumId(this.#options.random);
      const registryKey = registryKeyOf(subscription.registry);
      // Cursors first: a subscription that is on record has all of them, whenever the process ends.
      const starts = await Promise.all(
        this.#partitions.map((partition) => partition.operate("addCursor", { uid, registryKey, from })),
      );
      await this.#partition(0).operate("define", { stored: { uid, subscription: made } });
      this.#addReader(
        uid,
        made,
        starts.map((start) => new LeaseBook(start, [])),
      );
      return made;
    } finally {
      this.#changing.delete(path);
    }
  }

  async findSubscription(project: string, id: string): Promise<Subscription | undefined> {
    this.#refuseIfClosed();
    return this.#subscriptions.get(subscriptionPath(project, id))?.subscription;
  }

  async listSubscriptions(project: string): Promise<readonly Subscription[]> {
    this.#refuseIfClosed();
    return [...this.#subscriptions.values()]
      .map((reader) => reader.subscription)
      .filter((subscription) => subscription.registry.project === project)
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  async deleteSubscription(project: string, id: string): Promise<void> {
    const { uid } = this.#getSubscription(project, id);
    const path = subscriptionPath(project, id);
    await this.#partition(0).operate("undefine", { uid });
    this.#subscriptions.delete(path);
    // Cursors that stay behind when the process ends here are removed at the next start.
    await Promise.all(this.#partitions.map((partition) => partition.operate("removeCursor", { uid })));
  }

  async pull(project: string, subscriptionId: string, max: number): Promise<readonly ReceivedMessage[]> {
    return this.#getSubscription(project, subscriptionId).pull(Math.max(1, Math.min(max, PULL_MAX)));
  }

  async acknowledge(project: string, subscriptionId: string, ackIds: readonly string[]): Promise<number> {
    return this.#getSubscription(project, subscriptionId).acknowledge(ackIds);
  }

  async modifyLease(
    project: string,
    subscriptionId: string,
    ackIds: readonly string[],
    leaseSeconds: number,
  ): Promise<number> {
    return this.#getSubscription(project, subscriptionId).modifyLease(ackIds, leaseSeconds);
  }

  onDurable(registry: RegistryIdentity, hint: () => void): () => void {
    return this.#listeners.onDurable(registry, hint);
  }

  tail(registry: RegistryIdentity, listener: (message: DurableMessage) => void): () => void {
    return this.#listeners.tail(registry, listener);
  }

  setRetention(registry: RegistryIdentity, retention: EventRetention): void {
    this.#retentions.set(registryKeyOf(registry), retention);
  }

  async sweep(): Promise<number> {
    this.#refuseIfClosed();
    const totals = await Promise.all(this.#partitions.map((partition) => partition.operate("totals", {})));
    const nowMs = this.#options.clock.wallSeconds() * 1000;
    const plan = planSweep(totals, nowMs, (key) => this.#retentions.get(key) ?? eventRetentionDefault);
    let removed = 0;
    for (const [number, registries] of plan.entries()) {
      for (let isDone = registries.length === 0; !isDone && !this.#isClosed; ) {
        const swept = await this.#partition(number).operate("sweep", { registries });
        removed += swept.removed;
        this.#removedUnread += swept.removedUnread;
        isDone = swept.isDone;
      }
    }
    if (removed > 0) this.#cache.clear();
    return removed;
  }

  async listRegistries(): Promise<readonly RegistryIdentity[]> {
    this.#refuseIfClosed();
    const keys = await Promise.all(this.#partitions.map((partition) => partition.operate("registries", {})));
    return [...new Set(keys.flat())].map(parseRegistryKey);
  }

  async removeRegistry(registry: RegistryIdentity): Promise<void> {
    this.#refuseIfClosed();
    const registryKey = registryKeyOf(registry);
    this.#retentions.delete(registryKey);
    // Definitions first, in one place: whatever ends the process after that, no subscription is half there.
    for (const [path, { uid, registryKey: own }] of [...this.#subscriptions]) {
      if (own !== registryKey) continue;
      this.#subscriptions.delete(path);
      await this.#partition(0).operate("undefine", { uid });
    }
    for (const partition of this.#partitions) {
      for (let isDone = false; !isDone; ) {
        ({ isDone } = await partition.operate("removeRegistry", { registryKey }));
      }
    }
    this.#cache.clear();
  }

  counters(): BackboneCounters {
    const all = [...this.#subscriptions.values()];
    return {
      lateAcks: all.reduce((sum, reader) => sum + reader.lateAcks, 0),
      redelivered: all.reduce((sum, reader) => sum + reader.redelivered, 0),
      removedUnread: this.#removedUnread,
    };
  }

  status(): BackboneStatus {
    const queued = { queuedMessages: this.#queued.messages, queuedBytes: this.#queued.bytes };
    const troubled = this.#partitions.find((partition) => partition.trouble !== undefined);
    const because = this.#isClosed
      ? "the backbone is closed"
      : (troubled?.trouble?.sentence ?? this.#reading?.trouble);
    return because === undefined ? { healthy: true, ...queued } : { healthy: false, because, ...queued };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelSweep?.();
    // The reader first: the last connection to close copies the log into the database.
    await this.#reading?.close();
    await Promise.all(this.#partitions.map((partition) => partition.close()));
    this.#lock.release();
  }

  async #startPartition(number: number, partitions: number, mayCreate: boolean): Promise<EventWriterFacts> {
    const queue = new PartitionQueue({
      writer: {
        file: this.#file(number),
        partition: number,
        partitions,
        mayCreate,
        maxBytes: this.#options.maxBytesPerFile,
      },
      timers: this.#options.timers,
      queued: this.#queued,
      isTailed: (registryKey) => this.#listeners.isTailed(registryKey),
      durable: (registryKey, messages) => this.#durable(number, registryKey, messages),
      checkpoint: async () => this.#reading?.ask({ kind: "checkpoint", partition: number }),
    });
    this.#partitions.push(queue);
    return await queue.start();
  }

  async #restoreSubscriptions(first: EventWriterFacts, facts: readonly EventWriterFacts[]): Promise<void> {
    for (const { uid, subscription } of first.subscriptions) {
      const books = facts.map(({ cursors }) => {
        const cursor = cursors.find((one) => one.uid === uid);
        return new LeaseBook(cursor?.nextBlock ?? 0, cursor?.acknowledged ?? []);
      });
      this.#addReader(uid, subscription, books);
    }
    const known = new Set(first.subscriptions.map((stored) => stored.uid));
    for (const [number, { cursors }] of facts.entries()) {
      for (const { uid, removedUnread } of cursors) {
        this.#removedUnread += removedUnread;
        if (!known.has(uid)) await this.#partition(number).operate("removeCursor", { uid });
      }
    }
  }

  #addReader(uid: string, subscription: Subscription, books: readonly LeaseBook[]): void {
    if (this.#reading === undefined) throw new StoreError("closed", "the backbone is not started");
    const reader = new SubscriptionReader(uid, subscription, books, {
      clock: this.#options.clock,
      partitions: this.#partitions,
      reading: this.#reading,
      cache: this.#cache,
      epoch: this.#epoch,
    });
    this.#subscriptions.set(subscriptionPath(subscription.registry.project, subscription.id), reader);
  }

  #durable(partition: number, registryKey: string, messages: readonly DurableMessage[]): void {
    for (const reader of this.#subscriptions.values()) {
      if (reader.registryKey === registryKey) reader.heard(partition);
    }
    if (messages.length > 0) this.#listeners.tell(registryKey, messages);
    this.#listeners.hint(registryKey);
  }

  #armSweep(): void {
    this.#cancelSweep = this.#options.timers.after(SWEEP_MILLIS, () => {
      // What fails here stands in status() and is tried again at the next turn.
      this.sweep()
        .catch(() => undefined)
        .finally(() => {
          if (!this.#isClosed) this.#armSweep();
        });
    });
  }

  #file(partition: number): string {
    return join(this.#options.folder, `events-${partition}.db`);
  }

  #partition(number: number): PartitionQueue {
    const partition = this.#partitions[number];
    if (partition === undefined) throw new StoreError("store_failed", `there is no partition ${number}`);
    return partition;
  }

  #getSubscription(project: string, id: string): SubscriptionReader {
    this.#refuseIfClosed();
    const reader = this.#subscriptions.get(subscriptionPath(project, id));
    if (reader === undefined)
      throw new StoreError("not_found", `there is no subscription ${id} in ${project}`);
    return reader;
  }

  #refuseIfClosed(): void {
    if (this.#isClosed) throw new StoreError("closed", "the backbone is closed");
  }
}

function subscriptionPath(project: string, id: string): string {
  return `${project}/${id}`;
}
