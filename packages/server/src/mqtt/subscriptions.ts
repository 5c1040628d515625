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
  /** The config is to be sent, after the SUBACK. */
  readonly wantsConfig: boolean;
}

/** Applies a SUBSCRIBE. @returns why it ends the connection; then nothing was changed. */
export function subscribe(
  packet: SubscribePacket,
  user: TopicUser,
  version: ProtocolVersion,
  downlink: Downlink,
): SubscribeAnswer | SubscribeBreach {
  const breach = findBreach(packet, user, version);
  if (breach !== undefined) return breach;
  let wantsConfig = false;
  const reasonCodes = packet.subscriptions.map(({ topicFilter, qos }) => {
    const filter = findSubscribeFilter(topicFilter);
    if (filter === undefined || filter.kind === "errors" || !maySubscribe(filter, user)) {
      return version === 4 ? returnCode.subscriptionFailure : refusalOf(topicFilter);
    }
    // QoS 2 is granted as 1 (cloud-iot-core.md §4.4).
    const granted = qos === 0 ? 0 : 1;
    downlink.subscribe(filter.kind, granted);
    wantsConfig ||= filter.kind === "config";
    return granted;
  });
  return { reasonCodes, wantsConfig };
}

/** Applies an UNSUBSCRIBE. @returns Reason Codes for the UNSUBACK; 3.1.1 has none. */
export function unsubscribe(
  packet: UnsubscribePacket,
  user: TopicUser,
  version: ProtocolVersion,
  downlink: Downlink,
): readonly number[] {
  const reasonCodes = packet.topicFilters.map((topicFilter) => {
    const filter = findSubscribeFilter(topicFilter);
    const had =
      filter !== undefined &&
      filter.kind !== "errors" &&
      maySubscribe(filter, user) &&
      downlink.unsubscribe(filter.kind);
    return had ? reasonCode.success : reasonCode.noSubscriptionExisted;
  });
  return version === 4 ? [] : reasonCodes;
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
  return filter !== undefined && !user.names.includes(filter.device) && !user.isAttached(filter.device);
}

function refusalOf(topicFilter: string): number {
  const isWildcard = /[#+]/.test(topicFilter) && isTopicFilterWellFormed(topicFilter);
  return isWildcard ? reasonCode.wildcardSubscriptionsNotSupported : reasonCode.topicFilterInvalid;
}
