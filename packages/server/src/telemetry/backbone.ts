/**
 * The backbone: where telemetry becomes durable, and from where applications read it. Adapters:
 * `backbone/memory`, `backbone/sqlite`; one contract suite.
 *
 * A registry is named with its numId throughout: events, subscriptions and listeners belong to one registry, not
 * to whichever bears its name later.
 *
 * `append` answers only when the message would survive the loss of power; the device's PUBACK waits for
 * that answer. Reading is by durable subscriptions with leases: at-least-once, never a silent loss.
 */
import type { EventRetention, RegistryIdentity } from "../registry/model.ts";

export interface TelemetryMessage {
  readonly registry: RegistryIdentity;
  readonly deviceId: string;
  readonly deviceNumId: string;
  /** Text after `events/`, "" for none. */
  readonly subfolder: string;
  /** The adapter keeps no reference to it after `append` returns (it copies or encodes at once). */
  readonly payload: Uint8Array;
  /** When the bridge took it. */
  readonly publishMs: number;
  /** The device's own message id (User Property `id`, HTTP `messageId`), where given; at most 128 bytes. */
  readonly deviceMessageId?: string;
  /** Device id of the gateway that spoke for the device. */
  readonly gatewayId?: string;
  /** Where the registry routed it when it was taken: `projects/P/topics/T`. Absent: no config matched. */
  readonly topic?: string;
  /** Absent for an event. */
  readonly kind?: "state";
}

export type AppendOutcome =
  | { readonly kind: "durable"; readonly messageId: string }
  | { readonly kind: "refused"; readonly because: "disk_full" | "queue_full" | "closed" | "store_failed" };

export interface Subscription {
  /** Same rule as registry ids. Unique in its project. */
  readonly id: string;
  readonly registry: RegistryIdentity;
  /** Only what was routed there is delivered. Absent: all that the registry's devices published. */
  readonly topic?: string;
  readonly createdMs: number;
  /** How long a delivered message stays hidden from other pulls: 10 to 600 s. */
  readonly leaseSeconds: number;
}

export interface ReceivedMessage {
  /** Valid until the lease ends. */
  readonly ackId: string;
  readonly message: TelemetryMessage & { readonly messageId: string };
  /** 1 for the first delivery since the process started; grows with each redelivery. */
  readonly deliveryAttempt: number;
}

export interface BackboneStatus {
  readonly healthy: boolean;
  /** A sentence for an operator when not healthy. */
  readonly because?: string;
  /** Appended and not yet durable. */
  readonly queuedMessages: number;
  readonly queuedBytes: number;
}

export interface Backbone {
  /**
   * Takes one message. Messages of one device become durable, and are delivered, in the order of these calls.
   * Bound per process: 100,000 messages or 64 MiB waiting; beyond it the answer is refused `queue_full`.
   * @param done Called exactly once, never synchronously.
   */
  append(message: TelemetryMessage, done: (outcome: AppendOutcome) => void): void;

  /** Starts at the oldest message kept ("earliest") or after the newest ("latest"). @throws {StoreError} already_exists */
  createSubscription(
    subscription: Omit<Subscription, "createdMs">,
    from: "earliest" | "latest",
  ): Promise<Subscription>;
  findSubscription(project: string, id: string): Promise<Subscription | undefined>;
  listSubscriptions(project: string): Promise<readonly Subscription[]>;
  /** @throws {StoreError} not_found */
  deleteSubscription(project: string, id: string): Promise<void>;

  /** At most `max` (1 to 1,000) messages that are neither acknowledged nor leased; empty when there is none now. @throws {StoreError} not_found */
  pull(project: string, subscriptionId: string, max: number): Promise<readonly ReceivedMessage[]>;
  /** Resolves when the acknowledgements are durable. Unknown or late ackIds are ignored and counted. @returns how many took effect. @throws {StoreError} not_found */
  acknowledge(project: string, subscriptionId: string, ackIds: readonly string[]): Promise<number>;
  /** 0 gives the messages back at once. */
  modifyLease(
    project: string,
    subscriptionId: string,
    ackIds: readonly string[],
    leaseSeconds: number,
  ): Promise<number>;
  /** Called after each batch that became durable in a registry: a hint that a pull may find something. @returns stop. */
  onDurable(registry: RegistryIdentity, hint: () => void): () => void;

  /** Live messages of a registry as they become durable; a slow listener is never waited for. @returns stop. */
  tail(
    registry: RegistryIdentity,
    listener: (message: TelemetryMessage & { readonly messageId: string }) => void,
  ): () => void;

  /** Takes effect at the next sweep (at most 60 s); also called at start for each registry. Unset registries use the default. */
  setRetention(registry: RegistryIdentity, retention: EventRetention): void;
  /** Runs the retention sweep now. @returns messages removed. */
  sweep(): Promise<number>;

  /** Registries it has messages or subscriptions of, also what is left of one whose removal was cut short. */
  listRegistries(): Promise<readonly RegistryIdentity[]>;
  /**
   * Removes a registry for good: its subscriptions first, then its messages, so many per transaction. What was
   * durable when it was called is gone from the disk when it resolves; cut short, it can be called again, also
   * by the next process. Other registries, one made anew under the same name too, are left alone.
   * @throws {StoreError} closed, or the disk refuses: part of it may be removed.
   */
  removeRegistry(registry: RegistryIdentity): Promise<void>;

  status(): BackboneStatus;
  /** Makes what waits durable, then closes. */
  close(): Promise<void>;
}
