/**
 * One subscription over all partitions: pulls, acknowledgements and leases.
 *
 * A pull first gives again what came back, then what is fresh, a fair share from each partition and another
 * partition first each time. Pulls of a subscription run one after another, so that no message is handed out
 * twice.
 */
import type { Clock } from "@mayfly/core";
import type { ReceivedMessage, Subscription } from "../../telemetry/backbone.ts";
import { isForTopic } from "../../telemetry/routing.ts";
import { OUTSTANDING_MAX } from "../bounds.ts";
import { registryKeyOf } from "../registry-key.ts";
import { type BlockPlace, decodeMessage } from "./block.ts";
import type { BlockCache } from "./block-cache.ts";
import type { EventReading } from "./event-reading.ts";
import type { ReadBlock } from "./event-requests.ts";
import type { Lease, LeaseBook } from "./lease-book.ts";
import { messageIdOf, messageIdPrefix, parseMessageId } from "./message-id.ts";
import type { PartitionQueue } from "./partition-queue.ts";

export interface SubscriptionPorts {
  readonly clock: Pick<Clock, "monotonicMillis">;
  readonly partitions: readonly PartitionQueue[];
  readonly reading: EventReading;
  readonly cache: BlockCache;
  /** Of this process: an ackId of a former one names a lease that ended with it. */
  readonly epoch: string;
}

interface PartitionView {
  readonly number: number;
  readonly book: LeaseBook;
  /** Whether something may be there that was never handed out. */
  mayHaveFresh: boolean;
  /** Commits heard of, to tell whether one came during a read. */
  commits: number;
}

/** Messages of a block that the subscription does not ask for. */
type PassedBlock = readonly [block: number, count: number, indices: readonly number[]];

export class SubscriptionReader {
  readonly uid: string;
  readonly subscription: Subscription;
  readonly registryKey: string;
  readonly #ports: SubscriptionPorts;
  readonly #views: readonly PartitionView[];
  #turn = 0;
  #lastPull: Promise<unknown> = Promise.resolve();
  lateAcks = 0;
  redelivered = 0;

  constructor(
    uid: string,
    subscription: Subscription,
    books: readonly LeaseBook[],
    ports: SubscriptionPorts,
  ) {
    this.uid = uid;
    this.subscription = subscription;
    this.registryKey = registryKeyOf(subscription.registry);
    this.#ports = ports;
    this.#views = books.map((book, number) => ({ number, book, mayHaveFresh: true, commits: 0 }));
  }

  /** Something became durable for this registry in a partition. */
  heard(partition: number): void {
    const view = this.#views[partition];
    if (view === undefined) return;
    view.mayHaveFresh = true;
    view.commits += 1;
  }

  pull(max: number): Promise<readonly ReceivedMessage[]> {
    const pull = this.#lastPull.then(() => this.#pull(max));
    this.#lastPull = pull.catch(() => undefined);
    return pull;
  }

  /** @throws {StoreError} a partition could not be written: what it should have kept will be delivered again. */
  async acknowledge(ackIds: readonly string[]): Promise<number> {
    const byPartition = new Map<number, Map<number, number[]>>();
    for (const [view, lease] of this.#validLeases(ackIds)) {
      view.book.beginAcknowledge(lease.block, lease.index);
      const blocks = byPartition.get(view.number) ?? new Map<number, number[]>();
      byPartition.set(view.number, blocks);
      const indices = blocks.get(lease.block) ?? [];
      blocks.set(lease.block, indices);
      indices.push(lease.index);
    }
    const counts = await Promise.allSettled(
      [...byPartition].map(([partition, blocks]) => this.#acknowledgeIn(partition, blocks)),
    );
    let effective = 0;
    for (const count of counts) {
      if (count.status === "rejected") throw count.reason;
      effective += count.value;
    }
    return effective;
  }

  modifyLease(ackIds: readonly string[], leaseSeconds: number): number {
    const untilMillis = this.#ports.clock.monotonicMillis() + leaseSeconds * 1000;
    const valid = this.#validLeases(ackIds);
    for (const [view, lease] of valid) view.book.setLease(lease, untilMillis);
    return valid.length;
  }

  async #pull(max: number): Promise<readonly ReceivedMessage[]> {
    const received: ReceivedMessage[] = [];
    const count = this.#views.length;
    this.#turn = (this.#turn + 1) % count;
    const views = [...this.#views.slice(this.#turn), ...this.#views.slice(0, this.#turn)];
    for (const [index, view] of views.entries()) {
      await this.#pullFrom(view, Math.ceil((max - received.length) / (count - index)), received);
    }
    // Where some had less than their share, the others may fill it.
    for (const view of views) {
      if (received.length < max) await this.#pullFrom(view, max - received.length, received);
    }
    return received;
  }

  async #pullFrom(view: PartitionView, share: number, received: ReceivedMessage[]): Promise<void> {
    const full = received.length + share;
    const nowMillis = this.#ports.clock.monotonicMillis();
    const untilMillis = nowMillis + this.subscription.leaseSeconds * 1000;
    for (const block of view.book.blocksWithEnded(nowMillis)) {
      if (received.length >= full) return;
      const [read] = await this.#read(view, block, 1);
      if (read === undefined || read.block !== block) {
        view.book.forget(block);
        continue;
      }
      const leases = view.book.leaseEnded(block, full - received.length, nowMillis, untilMillis);
      this.redelivered += leases.length;
      this.#deliver(view, read, leases, received);
    }
    const passed: PassedBlock[] = [];
    while (view.mayHaveFresh && received.length < full && this.#outstanding() < OUTSTANDING_MAX) {
      const commits = view.commits;
      const blocks = await this.#read(view, view.book.freshBlock, full - received.length);
      if (blocks.length === 0 && commits === view.commits) view.mayHaveFresh = false;
      if (blocks.length === 0) break;
      // What was asked for and is not there was removed by retention, perhaps half handed out.
      if (blocks[0] !== undefined && blocks[0].block > view.book.freshBlock)
        view.book.forget(view.book.freshBlock);
      for (const read of blocks) {
        const room = Math.min(full - received.length, OUTSTANDING_MAX - this.#outstanding());
        if (room <= 0) break;
        const isWanted = this.#isWanted(view, read);
        const fresh = view.book.leaseFresh(read.block, read.count, room, untilMillis, isWanted);
        if (fresh.passed.length > 0) passed.push([read.block, read.count, fresh.passed]);
        this.#deliver(view, read, fresh.leases, received);
        if (view.book.freshBlock === read.block) break;
      }
    }
    await this.#keepPassed(view, passed);
  }

  /** Undefined where the subscription asks for all there is. */
  #isWanted(view: PartitionView, read: ReadBlock): ((index: number) => boolean) | undefined {
    const { topic } = this.subscription;
    if (topic === undefined) return undefined;
    const place = this.#placeOf(view, read);
    return (index) => isForTopic(topic, decodeMessage(read.data, place, index).topic);
  }

  /** So that the cursor moves on over messages of other topics. What fails is passed over again after a restart. */
  async #keepPassed(view: PartitionView, passed: readonly PassedBlock[]): Promise<void> {
    if (passed.length === 0) return;
    const queue = this.#ports.partitions[view.number];
    await queue?.operate("acknowledge", { uid: this.uid, blocks: passed }).catch(() => undefined);
  }

  #placeOf(view: PartitionView, read: ReadBlock): BlockPlace {
    return {
      registryKey: this.registryKey,
      partition: view.number,
      block: read.block,
      count: read.count,
    };
  }

  #deliver(
    view: PartitionView,
    read: ReadBlock,
    leases: readonly Lease[],
    received: ReceivedMessage[],
  ): void {
    const place = this.#placeOf(view, read);
    const prefix = messageIdPrefix(read.block, view.number);
    for (const { index, attempt } of leases) {
      received.push({
        ackId: `${messageIdOf(prefix, index)}.${attempt}.${this.#ports.epoch}`,
        message: decodeMessage(read.data, place, index),
        deliveryAttempt: attempt,
      });
    }
  }

  async #read(view: PartitionView, fromBlock: number, messages: number): Promise<readonly ReadBlock[]> {
    const { cache, reading } = this.#ports;
    const { registryKey } = this;
    const cached = cache.find(registryKey, view.number, fromBlock);
    if (cached !== undefined) return [cached];
    const blocks = await reading.ask({
      kind: "read",
      partition: view.number,
      registryKey,
      fromBlock,
      messages,
    });
    for (const read of blocks) cache.add(registryKey, view.number, read);
    return blocks;
  }

  async #acknowledgeIn(partition: number, blocks: ReadonlyMap<number, readonly number[]>): Promise<number> {
    const book = this.#views[partition]?.book;
    const queue = this.#ports.partitions[partition];
    if (book === undefined || queue === undefined) return 0;
    const rows = [...blocks].map(([block, indices]) => [block, book.countOf(block), indices] as const);
    let isDurable = false;
    try {
      await queue.operate("acknowledge", { uid: this.uid, blocks: rows });
      isDurable = true;
    } finally {
      for (const [block, indices] of blocks) book.endAcknowledge(block, indices, isDurable);
    }
    return rows.reduce((sum, [, , indices]) => sum + indices.length, 0);
  }

  /** Each once, however often it is named. */
  #validLeases(ackIds: readonly string[]): readonly (readonly [PartitionView, Lease])[] {
    const nowMillis = this.#ports.clock.monotonicMillis();
    const valid: (readonly [PartitionView, Lease])[] = [];
    for (const ackId of new Set(ackIds)) {
      const [id = "", attempt = "", epoch] = ackId.split(".");
      const place = parseMessageId(id);
      const view = place === undefined ? undefined : this.#views[place.partition];
      if (place === undefined || view === undefined || epoch !== this.#ports.epoch) {
        this.lateAcks += 1;
        continue;
      }
      const lease = { block: place.block, index: place.index, attempt: Number(attempt) };
      if (view.book.isValid(lease, nowMillis)) valid.push([view, lease]);
      else this.lateAcks += 1;
    }
    return valid;
  }

  #outstanding(): number {
    return this.#views.reduce((sum, view) => sum + view.book.outstanding, 0);
  }
}
