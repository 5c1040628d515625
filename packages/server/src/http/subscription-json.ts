/**
 * Subscriptions and telemetry messages between Pub/Sub's JSON and the backbone.
 *
 * A message carries IoT Core's attributes. `subFolder` is absent for none: which of absent and empty Cloud
 * IoT Core sent is not known, and its consumers tolerated both. A state is told from an event by `subType`, which an
 * event does not have: Cloud IoT Core gave both the same attributes.
 */
import { base64Encode, formatRegistryName, IdError, parseRegistryId, parseRegistryName } from "@mayfly/core";
import type { PubsubMessage, PulledMessage, SubscriptionView } from "@mayfly/core/admin";
import type { RegistryRef } from "../registry/model.ts";
import { isTopicName } from "../registry/topic-name.ts";
import type { ReceivedMessage, Subscription, TelemetryMessage } from "../telemetry/backbone.ts";
import { invalidField } from "./api-error.ts";
import { findBoolean, findInteger, findString, readObject, readString, readStrings } from "./json-fields.ts";
import { formatMillis } from "./timestamps.ts";

export const ACK_DEADLINE_SECONDS_MIN = 10;
export const ACK_DEADLINE_SECONDS_MAX = 600;
export const ACK_DEADLINE_SECONDS_DEFAULT = 60;
export const PULL_MESSAGES_MAX = 1_000;
export const PULL_WAIT_SECONDS_MAX = 30;
/** Most ackIds in one call. */
export const ACK_IDS_MAX = 2_500;

/** Same rule as registry ids. @throws {ApiError} INVALID_ARGUMENT */
export function readSubscriptionId(text: string): string {
  try {
    return parseRegistryId(text);
  } catch (error) {
    if (!(error instanceof IdError)) throw error;
    throw invalidField("subscription", error.message.replace("a registry id", "A subscription id"));
  }
}

export interface SubscriptionRequest {
  readonly registry: RegistryRef;
  readonly topic?: string;
  readonly leaseSeconds: number;
  readonly from: "earliest" | "latest";
}

/** @throws {ApiError} INVALID_ARGUMENT. @throws {IdError} */
export function readSubscription(body: unknown): SubscriptionRequest {
  const fields = readObject(body ?? {}, "", ["name", "registry", "topic", "ackDeadlineSeconds", "from"]);
  const from = findString(fields, "from") ?? "latest";
  if (from !== "earliest" && from !== "latest")
    throw invalidField("from", "'from' must be 'earliest' or 'latest'.");
  const leaseSeconds = findInteger(fields, "ackDeadlineSeconds", 0, ACK_DEADLINE_SECONDS_MAX) ?? 0;
  return {
    registry: parseRegistryName(readString(fields, "registry")),
    ...readTopic(findString(fields, "topic")),
    leaseSeconds: leaseSeconds === 0 ? ACK_DEADLINE_SECONDS_DEFAULT : checkDeadline(leaseSeconds),
    from,
  };
}

/** @throws {ApiError} INVALID_ARGUMENT */
export function readTopic(text: string | undefined): { readonly topic?: string } {
  if (text === undefined || text === "") return {};
  if (isTopicName(text)) return { topic: text };
  throw invalidField("topic", "A topic has the form projects/{project}/topics/{topic}.");
}

export function formatSubscription(subscription: Subscription): SubscriptionView {
  return {
    name: `projects/${subscription.registry.project}/subscriptions/${subscription.id}`,
    registry: formatRegistryName(subscription.registry),
    ...(subscription.topic === undefined ? {} : { topic: subscription.topic }),
    ackDeadlineSeconds: subscription.leaseSeconds,
    createTime: formatMillis(subscription.createdMs),
  };
}

/** @throws {ApiError} INVALID_ARGUMENT */
export function readPull(body: unknown): { readonly maxMessages: number; readonly waitSeconds: number } {
  const fields = readObject(body ?? {}, "", ["maxMessages", "returnImmediately", "waitSeconds"]);
  const maxMessages = findInteger(fields, "maxMessages", 1, Number.MAX_SAFE_INTEGER);
  if (maxMessages === undefined) throw invalidField("max_messages", "maxMessages must be 1 or more.");
  const waitSeconds = findInteger(fields, "waitSeconds", 0, PULL_WAIT_SECONDS_MAX) ?? PULL_WAIT_SECONDS_MAX;
  return {
    // As in Pub/Sub, more than the service's own maximum may be asked for; fewer are answered.
    maxMessages: Math.min(maxMessages, PULL_MESSAGES_MAX),
    waitSeconds: findBoolean(fields, "returnImmediately") === true ? 0 : waitSeconds,
  };
}

/** @throws {ApiError} INVALID_ARGUMENT */
export function readAcknowledge(body: unknown): readonly string[] {
  return readAckIds(readObject(body ?? {}, "", ["ackIds"]));
}

/** @throws {ApiError} INVALID_ARGUMENT */
export function readAckDeadline(body: unknown): {
  readonly ackIds: readonly string[];
  readonly leaseSeconds: number;
} {
  const fields = readObject(body ?? {}, "", ["ackIds", "ackDeadlineSeconds"]);
  const leaseSeconds = findInteger(fields, "ackDeadlineSeconds", 0, ACK_DEADLINE_SECONDS_MAX) ?? 0;
  return { ackIds: readAckIds(fields), leaseSeconds: leaseSeconds === 0 ? 0 : checkDeadline(leaseSeconds) };
}

function readAckIds(fields: ReturnType<typeof readObject>): readonly string[] {
  const ackIds = readStrings(fields, "ackIds", ACK_IDS_MAX);
  if (ackIds.length === 0) throw invalidField("ack_ids", "ackIds must not be empty.");
  return ackIds;
}

function checkDeadline(seconds: number): number {
  if (seconds >= ACK_DEADLINE_SECONDS_MIN) return seconds;
  throw invalidField(
    "ack_deadline_seconds",
    `ackDeadlineSeconds must be ${ACK_DEADLINE_SECONDS_MIN} to ${ACK_DEADLINE_SECONDS_MAX}.`,
  );
}

export function formatReceived(received: ReceivedMessage): PulledMessage {
  return {
    ackId: received.ackId,
    deliveryAttempt: received.deliveryAttempt,
    message: formatMessage(received.message),
  };
}

export function formatMessage(message: TelemetryMessage & { readonly messageId: string }): PubsubMessage {
  return {
    data: base64Encode(message.payload),
    attributes: {
      deviceId: message.deviceId,
      deviceNumId: message.deviceNumId,
      deviceRegistryId: message.registry.registry,
      deviceRegistryLocation: message.registry.location,
      projectId: message.registry.project,
      ...(message.subfolder === "" ? {} : { subFolder: message.subfolder }),
      ...(message.gatewayId === undefined ? {} : { gatewayId: message.gatewayId }),
      ...(message.deviceMessageId === undefined ? {} : { deviceMessageId: message.deviceMessageId }),
      ...(message.kind === undefined ? {} : { subType: message.kind }),
    },
    ...(message.topic === undefined ? {} : { topic: message.topic }),
    messageId: message.messageId,
    publishTime: formatMillis(message.publishMs),
  };
}
