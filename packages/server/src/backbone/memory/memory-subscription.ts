/**
 * A subscription in memory: which message comes next, and who holds which one for how long.
 *
 * A message is fresh (never delivered), outstanding (delivered, not acknowledged) or done. Outstanding ones
 * come back when their lease ends, before anything fresh, so that the order of a device is kept as far as
 * redelivery allows.
 */
import type { ReceivedMessage, Subscription } from "../../telemetry/backbone.ts";
import { isForTopic } from "../../telemetry/routing.ts";
import { OUTSTANDING_MAX } from "../bounds.ts";
import type { MemoryLog } from "./memory-log.ts";

interface Outstanding {
  ackId: string;
  untilMillis: number;
  attempt: number;
}

export class MemorySubscription {
  readonly subscription: Subscription;
  readonly #log: MemoryLog;
  readonly #outstanding = new Map<number, Outstanding>();
  #nextFresh: number;
  lateAcks = 0;
  redelivered = 0;
  removedUnread = 0;

  constructor(subscription: Subscription, log: MemoryLog, from: "earliest" | "latest") {
    this.subscription = subscription;
    this.#log = log;
    this.#nextFresh = from === "earliest" ? log.first : log.next;
  }

  pull(max: number, nowMillis: number): readonly ReceivedMessage[] {
    const untilMillis = nowMillis + this.subscription.leaseSeconds * 1000;
    const received: ReceivedMessage[] = [];
    const expired = [...this.#outstanding].filter(([, lease]) => lease.untilMillis <= nowMillis);
    for (const [number] of expired.sort(([a], [b]) => a - b)) {
      if (received.length >= max) break;
      this.#deliver(number, untilMillis, received);
    }
    while (received.length < max && this.#nextFresh < this.#log.next) {
      if (this.#outstanding.size >= OUTSTANDING_MAX) break;
      this.#deliver(this.#nextFresh, untilMillis, received);
      this.#nextFresh += 1;
    }
    return received;
  }

  acknowledge(ackIds: readonly string[], nowMillis: number): number {
    return this.#forEachLease(ackIds, nowMillis, (number) => this.#outstanding.delete(number));
  }

  modifyLease(ackIds: readonly string[], untilMillis: number, nowMillis: number): number {
    return this.#forEachLease(ackIds, nowMillis, (_number, lease) => {
      lease.untilMillis = untilMillis;
    });
  }

  /** The log no longer has what is older than its first. */
  forgetRemoved(): void {
    for (const number of this.#outstanding.keys()) {
      if (number >= this.#log.first) continue;
      this.#outstanding.delete(number);
      this.removedUnread += 1;
    }
    if (this.#nextFresh >= this.#log.first) return;
    this.removedUnread += this.#log.first - this.#nextFresh;
    this.#nextFresh = this.#log.first;
  }

  #deliver(number: number, untilMillis: number, received: ReceivedMessage[]): void {
    const logged = this.#log.find(number);
    if (logged === undefined || !isForTopic(this.subscription.topic, logged.message.topic)) return;
    const attempt = (this.#outstanding.get(number)?.attempt ?? 0) + 1;
    if (attempt > 1) this.redelivered += 1;
    const ackId = `${number}.${attempt}`;
    this.#outstanding.set(number, { ackId, untilMillis, attempt });
    const message = { ...logged.message, payload: logged.message.payload.slice() };
    received.push({ ackId, message, deliveryAttempt: attempt });
  }

  #forEachLease(
    ackIds: readonly string[],
    nowMillis: number,
    effect: (number: number, lease: Outstanding) => void,
  ): number {
    let effective = 0;
    for (const ackId of ackIds) {
      const number = Number(ackId.split(".")[0]);
      const lease = this.#outstanding.get(number);
      if (lease?.ackId === ackId && lease.untilMillis > nowMillis) {
        effect(number, lease);
        effective += 1;
      } else this.lateAcks += 1;
    }
    return effective;
  }
}
