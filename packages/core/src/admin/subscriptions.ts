/**
 * Pull subscriptions and the live tail: how an application reads telemetry. The shapes are Pub/Sub's own.
 *
 * Left to others: when a lease ends and what order means (`server/telemetry/backbone.ts`).
 */

export interface SubscriptionPath {
  readonly project: string;
  readonly subscription: string;
}

export interface SubscriptionCreation {
  /** Full name of the registry it reads. */
  readonly registry: string;
  /** `projects/P/topics/T`: only what the registry's notification configs send there. Absent: everything. */
  readonly topic?: string;
  /** 10 to 600, default 60. */
  readonly ackDeadlineSeconds?: number;
  /** Default `latest`. */
  readonly from?: "earliest" | "latest";
}

export interface SubscriptionView {
  /** `projects/{project}/subscriptions/{subscription}` */
  readonly name: string;
  readonly registry: string;
  readonly topic?: string;
  readonly ackDeadlineSeconds: number;
  readonly createTime: string;
}

/** One telemetry message with IoT Core's attributes: `deviceId`, `deviceNumId`, `deviceRegistryId`, …; a state has `subType` "state". */
export interface PubsubMessage {
  /** Standard base64, "" when empty. */
  readonly data: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly messageId: string;
  readonly publishTime: string;
  /** Where the registry routed it; absent where no notification config matched. */
  readonly topic?: string;
}

export interface PulledMessage {
  readonly ackId: string;
  readonly deliveryAttempt: number;
  readonly message: PubsubMessage;
}

export interface PullRequest {
  /** 1 to 1,000. */
  readonly maxMessages: number;
  /** How long to wait for the first message: 0 to 30, default 30. */
  readonly waitSeconds?: number;
}

/** A line of the tail: a message, or how many were dropped because this listener was too slow. */
export type TailLine =
  | { readonly kind: "message"; readonly message: PubsubMessage }
  | { readonly kind: "dropped"; readonly count: number };
