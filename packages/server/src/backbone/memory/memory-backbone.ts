/**
 * The backbone in memory: for tests, the simulator and a first look. "Durable" here means "in this process".
 *
 * Everything moves by the timers port and nothing by itself, so that a run in virtual time is the same each
 * time. Messages appended before the commit timer fires become durable together, as they do on disk.
 */
import type { CancelTimer, Clock, Timers } from "@mayfly/core";
import { type EventRetention, eventRetentionDefault, type RegistryIdentity } from "../../registry/model.ts";
import { StoreError } from "../../registry/store.ts";
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
import { MemoryLog } from "./memory-log.ts";
import { MemorySubscription } from "./memory-subscription.ts";

export interface MemoryBackboneOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  /** How long a commit takes, as the simulator wants it. Default 0: the timers' next turn. */
  readonly commitMillis?: number;
}

export type MemoryBackbone = Backbone & { counters(): BackboneCounters };

interface Waiting {
  readonly message: TelemetryMessage;
  readonly done: (outcome: AppendOutcome) => void;
}

export function createMemoryBackbone(options: MemoryBackboneOptions): MemoryBackbone {
  return new InMemory(options);
}

class InMemory implements MemoryBackbone {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #commitMillis: number;
  readonly #logs = new Map<string, MemoryLog>();
  readonly #retentions = new Map<string, EventRetention>();
  readonly #subscriptions = new Map<string, MemorySubscription>();
  readonly #listeners = new DurableListeners();
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #messagesEver = 0;
  #cancelCommit: CancelTimer | undefined;
  #cancelSweep: CancelTimer | undefined;
  #isClosed = false;

  constructor(options: MemoryBackboneOptions) {
    this.#clock = options.clock;
    this.#timers = options.timers;
    this.#commitMillis = options.commitMillis ?? 0;
  }

  append(message: TelemetryMessage, done: (outcome: AppendOutcome) => void): void {
    const bytes = this.#waitingBytes + message.payload.length;
    const isFull = this.#waiting.length >= QUEUED_MESSAGES_MAX || bytes > QUEUED_BYTES_MAX;
    if (this.#isClosed || isFull) {
      this.#refuseLater(this.#isClosed ? "closed" : "queue_full", done);
      return;
    }
    this.#waiting.push({ message: { ...message, payload: message.payload.slice() }, done });
    this.#waitingBytes = bytes;
    this.#cancelCommit ??= this.#timers.after(this.#commitMillis, () => this.#commit());
  }

  async createSubscription(
    subscription: Omit<Subscription, "createdMs">,
    from: "earliest" | "latest",
  ): Promise<Subscription> {
    this.#refuseIfClosed();
    const path = subscriptionPath(subscription.registry.project, subscription.id);
    if (this.#subscriptions.has(path)) {
      throw new StoreError("already_exists", `subscription ${subscription.id} exists already`);
    }
    const made = { ...subscription, createdMs: Math.round(this.#clock.wallSeconds() * 1000) };
    const log = this.#log(registryKeyOf(subscription.registry));
    this.#subscriptions.set(path, new MemorySubscription(made, log, from));
    return made;
  }

  async findSubscription(project: string, id: string): Promise<Subscription | undefined> {
    this.#refuseIfClosed();
    return this.#subscriptions.get(subscriptionPath(project, id))?.subscription;
  }

  async listSubscriptions(project: string): Promise<readonly Subscription[]> {
    this.#refuseIfClosed();
    return [...this.#subscriptions.values()]
      .map((held) => held.subscription)
      .filter((subscription) => subscription.registry.project === project)
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  async deleteSubscription(project: string, id: string): Promise<void> {
    this.#getSubscription(project, id);
    this.#subscriptions.delete(subscriptionPath(project, id));
  }

  async pull(project: string, subscriptionId: string, max: number): Promise<readonly ReceivedMessage[]> {
    const held = this.#getSubscription(project, subscriptionId);
    return held.pull(Math.max(1, Math.min(max, PULL_MAX)), this.#clock.monotonicMillis());
  }

  async acknowledge(project: string, subscriptionId: string, ackIds: readonly string[]): Promise<number> {
    return this.#getSubscription(project, subscriptionId).acknowledge(ackIds, this.#clock.monotonicMillis());
  }

  async modifyLease(
    project: string,
    subscriptionId: string,
    ackIds: readonly string[],
    leaseSeconds: number,
  ): Promise<number> {
    const nowMillis = this.#clock.monotonicMillis();
    const held = this.#getSubscription(project, subscriptionId);
    return held.modifyLease(ackIds, nowMillis + leaseSeconds * 1000, nowMillis);
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
    const nowMs = this.#clock.wallSeconds() * 1000;
    let removed = 0;
    for (const [key, log] of this.#logs) {
      const { ageSeconds, bytes } = this.#retentions.get(key) ?? eventRetentionDefault;
      removed += log.trim(nowMs - ageSeconds * 1000, bytes);
    }
    for (const held of this.#subscriptions.values()) held.forgetRemoved();
    return removed;
  }

  async listRegistries(): Promise<readonly RegistryIdentity[]> {
    this.#refuseIfClosed();
    const held = [...this.#subscriptions.values()].map(({ subscription }) => subscription.registry);
    return [...new Set([...this.#logs.keys(), ...held.map(registryKeyOf)])].map(parseRegistryKey);
  }

  async removeRegistry(registry: RegistryIdentity): Promise<void> {
    this.#refuseIfClosed();
    const key = registryKeyOf(registry);
    for (const [path, { subscription }] of this.#subscriptions) {
      if (registryKeyOf(subscription.registry) === key) this.#subscriptions.delete(path);
    }
    this.#logs.delete(key);
    this.#retentions.delete(key);
  }

  counters(): BackboneCounters {
    const all = [...this.#subscriptions.values()];
    return {
      lateAcks: all.reduce((sum, held) => sum + held.lateAcks, 0),
      redelivered: all.reduce((sum, held) => sum + held.redelivered, 0),
      removedUnread: all.reduce((sum, held) => sum + held.removedUnread, 0),
    };
  }

  status(): BackboneStatus {
    const queued = { queuedMessages: this.#waiting.length, queuedBytes: this.#waitingBytes };
    return this.#isClosed
      ? { healthy: false, because: "the backbone is closed", ...queued }
      : { healthy: true, ...queued };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelSweep?.();
    this.#cancelCommit?.();
    this.#commit();
  }

  #commit(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#cancelCommit = undefined;
    const byRegistry = new Map<string, DurableMessage[]>();
    const answers: (() => void)[] = [];
    for (const { message, done } of batch) {
      const key = registryKeyOf(message.registry);
      this.#messagesEver += 1;
      const durable = { ...message, messageId: `${this.#messagesEver}` };
      this.#log(key).append(durable);
      const some = byRegistry.get(key) ?? [];
      some.push(durable);
      byRegistry.set(key, some);
      answers.push(() => done({ kind: "durable", messageId: durable.messageId }));
    }
    for (const answer of answers) answer();
    for (const [key, messages] of byRegistry) {
      this.#listeners.tell(key, messages);
      this.#listeners.hint(key);
    }
    if (batch.length > 0 && !this.#isClosed) this.#armSweep();
  }

  /** Armed by the first message, so that an idle backbone leaves no timer in virtual time. */
  #armSweep(): void {
    this.#cancelSweep ??= this.#timers.after(SWEEP_MILLIS, () => {
      this.#cancelSweep = undefined;
      void this.sweep();
      if ([...this.#logs.values()].some((log) => log.next > log.first)) this.#armSweep();
    });
  }

  #refuseLater(because: "queue_full" | "closed", done: (outcome: AppendOutcome) => void): void {
    this.#timers.after(0, () => done({ kind: "refused", because }));
  }

  #log(key: string): MemoryLog {
    const log = this.#logs.get(key) ?? new MemoryLog();
    this.#logs.set(key, log);
    return log;
  }

  #getSubscription(project: string, id: string): MemorySubscription {
    this.#refuseIfClosed();
    const held = this.#subscriptions.get(subscriptionPath(project, id));
    if (held === undefined) throw new StoreError("not_found", `there is no subscription ${id} in ${project}`);
    return held;
  }

  #refuseIfClosed(): void {
    if (this.#isClosed) throw new StoreError("closed", "the backbone is closed");
  }
}

function subscriptionPath(project: string, id: string): string {
  return `${project}/${id}`;
}
