/**
 * Which Topic Filters a device is granted, and what the others get.
 *
 * One's own but unsubscribable filter is refused in the SUBACK; a filter naming another device ends the
 * connection, as Cloud IoT Core did (cloud-iot-core.md §4.3, where reports disagree). So does in 5.0 what CONNACK
 * said is not there: Subscription Identifiers and Shared Subscriptions (MQTT 5.0 §3.2.2.3.12 and §3.2.2.3.13).
 * Wildcards are there, since `commands/#` is one, but no other is granted (§3.2.2.3.11).
 */
import { findSubscribeFilter, isTopicFilterWellFormed, maySubscribe, type TopicUser } from "@mayfly/core";
import type { ProtocolVersion, SubscribePacket, UnsubscribePacket } from "@mayfly/core/mqtt";
import { reasonCode, returnCode } from "@mayfly/core/mqtt";
import type { Attachments } from "./attachments.ts";
import type { CloseReason } from "./close-reason.ts";
import type { Downlink } from "./downlink.ts";

/** A SUBSCRIBE that is answered by the end of the connection. */
export type SubscribeBreach = Extract<
  CloseReason,
  "subscription_identifier" | "shared_subscription" | "topic_not_own"
>;

/** Reason Codes for the SUBACK, in order. */
export interface SubscribeAnswer {
  readonly reasonCodes: readonly number[];
  /** Whose config is to be sent, after the SUBACK. */
  readonly configs: readonly Downlink[];
}

/** Whose subscriptions there are on a connection. */
export interface Subscribers {
  readonly user: TopicUser;
  readonly version: ProtocolVersion;
  readonly downlink: Downlink;
  /** Of a gateway. */
  readonly attachments: Pick<Attachments, "findSubscriber" | "find" | "errors"> | undefined;
}

/** Applies a SUBSCRIBE. @returns why it ends the connection; then nothing was changed. */
export function subscribe(
  packet: SubscribePacket,
  subscribers: Subscribers,
): SubscribeAnswer | SubscribeBreach {
  const { user, version, attachments } = subscribers;
  const breach = findBreach(packet, user, version);
  if (breach !== undefined) return breach;
  const configs: Downlink[] = [];
  const reasonCodes = packet.subscriptions.map(({ topicFilter, qos }) => {
    const filter = findSubscribeFilter(topicFilter);
    if (filter?.kind === "errors" && maySubscribe(filter, user) && attachments !== undefined) {
      attachments.errors.isSubscribed = true;
      return reasonCode.grantedQoS0;
    }
    if (filter === undefined || filter.kind === "errors") {
      return version === 4 ? returnCode.subscriptionFailure : refusalOf(topicFilter);
    }
    const lane = user.names.includes(filter.device)
      ? subscribers.downlink
      : attachments?.findSubscriber(filter, topicFilter);
    if (lane === undefined) return version === 4 ? returnCode.subscriptionFailure : reasonCode.notAuthorized;
    // QoS 2 is granted as 1 (cloud-iot-core.md §4.4).
    const granted = qos === 0 ? 0 : 1;
    lane.subscribe(filter.kind, granted);
    if (filter.kind === "config" && !configs.includes(lane)) configs.push(lane);
    return granted;
  });
  return { reasonCodes, configs };
}

/** Applies an UNSUBSCRIBE. @returns Reason Codes for the UNSUBACK; 3.1.1 has none. */
export function unsubscribe(packet: UnsubscribePacket, subscribers: Subscribers): readonly number[] {
  const reasonCodes = packet.topicFilters.map((topicFilter) =>
    forget(topicFilter, subscribers) ? reasonCode.success : reasonCode.noSubscriptionExisted,
  );
  return subscribers.version === 4 ? [] : reasonCodes;
}

/** @returns whether there was such a subscription. */
function forget(topicFilter: string, { user, downlink, attachments }: Subscribers): boolean {
  const filter = findSubscribeFilter(topicFilter);
  if (filter === undefined) return false;
  const isOwn = user.names.includes(filter.device);
  if (filter.kind === "errors") {
    const had = isOwn && attachments?.errors.isSubscribed === true;
    if (had) attachments.errors.isSubscribed = false;
    return had;
  }
  const lane = isOwn ? downlink : attachments?.find(filter.device)?.downlink;
  return lane?.unsubscribe(filter.kind) ?? false;
}

function findBreach(
  { subscriptions, properties }: SubscribePacket,
  user: TopicUser,
  version: ProtocolVersion,
): SubscribeBreach | undefined {
  if (properties?.subscriptionIdentifiers !== undefined) return "subscription_identifier";
  // To 3.1.1 `$share/` is a topic level like any other, and no filter of ours.
  if (version === 5 && subscriptions.some(({ topicFilter }) => topicFilter.startsWith("$share/"))) {
    return "shared_subscription";
  }
  return subscriptions.some(({ topicFilter }) => isForeign(topicFilter, user)) ? "topic_not_own" : undefined;
}

function isForeign(topicFilter: string, user: TopicUser): boolean {
  const filter = findSubscribeFilter(topicFilter);
  if (filter === undefined || user.names.includes(filter.device)) return false;
  // One of a gateway's devices may have been detached a moment ago: that is told, and no breach.
  return !user.isGateway || filter.kind === "errors";
}

function refusalOf(topicFilter: string): number {
  const isWildcard = /[#+]/.test(topicFilter) && isTopicFilterWellFormed(topicFilter);
  return isWildcard ? reasonCode.wildcardSubscriptionsNotSupported : reasonCode.topicFilterInvalid;
}
