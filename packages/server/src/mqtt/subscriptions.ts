/**
 * Which Topic Filters a device is granted, and what the others get.
 *
 * One's own but unsubscribable filter is refused in the SUBACK; a filter naming another device ends the
 * connection, as Cloud IoT Core did (cloud-iot-core.md §4.3, where reports disagree).
 */
import { findSubscribeFilter, maySubscribe, type TopicUser } from "@mayfly/core";
import type { ProtocolVersion, SubscribePacket, UnsubscribePacket } from "@mayfly/core/mqtt";
import { reasonCode, returnCode } from "@mayfly/core/mqtt";
import type { Downlink } from "./downlink.ts";

/** Reason Codes for the SUBACK, in order. */
export interface SubscribeAnswer {
  readonly reasonCodes: readonly number[];
  /** The config is to be sent, after the SUBACK. */
  readonly wantsConfig: boolean;
}

/** Applies a SUBSCRIBE. @returns "foreign" when it names another device; then nothing was changed. */
export function subscribe(
  packet: SubscribePacket,
  user: TopicUser,
  version: ProtocolVersion,
  downlink: Downlink,
): SubscribeAnswer | "foreign" {
  if (packet.subscriptions.some(({ topicFilter }) => isForeign(topicFilter, user))) return "foreign";
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

function isForeign(topicFilter: string, user: TopicUser): boolean {
  const filter = findSubscribeFilter(topicFilter);
  return filter !== undefined && !user.names.includes(filter.device) && !user.isAttached(filter.device);
}

function refusalOf(topicFilter: string): number {
  return topicFilter.startsWith("$share/")
    ? reasonCode.sharedSubscriptionsNotSupported
    : reasonCode.topicFilterInvalid;
}
