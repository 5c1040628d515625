/**
 * The answers to SUBSCRIBE and UNSUBSCRIBE, which promise what outlives the connection, and so come after the disk.
 *
 * The config that a new subscription brings follows its SUBACK.
 *
 * Left to others: which Topic Filters are granted (`subscriptions.ts`), and keeping them (`kept-session.ts`).
 */
import { reasonCode, type SubscribePacket, type UnsubscribePacket } from "@mayfly/core/mqtt";
import { encodeSuback, encodeUnsuback } from "@mayfly/core/mqtt-server";
import type { DevicePrincipal } from "../auth/admission.ts";
import type { DeviceLog } from "../telemetry/device-log.ts";
import type { CloseReason } from "./close-reason.ts";
import { type Subscribers, subscribe, unsubscribe } from "./subscriptions.ts";

/** What it asks of the session. */
export interface SessionSubscribeOwner {
  readonly principal: DevicePrincipal;
  readonly clientPacketBytesMax: number;
  /** Calls `then` when the subscriptions are durable, or cannot be: at once where none are kept, never when it is over. */
  whenSaved(then: (isDurable: boolean) => void): void;
  queue(bytes: Uint8Array): void;
  end(because: CloseReason): void;
}

export function takeSubscribe(
  packet: SubscribePacket,
  subscribers: Subscribers,
  deviceLog: Pick<DeviceLog, "subscribed">,
  owner: SessionSubscribeOwner,
): void {
  const answer = subscribe(packet, subscribers);
  if (typeof answer === "string") {
    owner.end(answer);
    return;
  }
  const { reasonCodes, configs } = answer;
  for (const [index, { topicFilter }] of packet.subscriptions.entries())
    deviceLog.subscribed(owner.principal, topicFilter, reasonCodes[index] ?? 0);
  owner.whenSaved((isDurable) => {
    const { packetIdentifier } = packet;
    const codes = isDurable ? reasonCodes : reasonCodes.map(() => reasonCode.unspecifiedError);
    const suback = { type: "suback", packetIdentifier, reasonCodes: codes } as const;
    if (!reply(encodeSuback(suback, subscribers.version), owner)) return;
    for (const downlink of configs) downlink.configChanged();
  });
}

export function takeUnsubscribe(
  packet: UnsubscribePacket,
  subscribers: Subscribers,
  owner: SessionSubscribeOwner,
): void {
  const reasonCodes = unsubscribe(packet, subscribers);
  owner.whenSaved(() => {
    const { packetIdentifier } = packet;
    const unsuback = { type: "unsuback", packetIdentifier, reasonCodes } as const;
    reply(encodeUnsuback(unsuback, subscribers.version), owner);
  });
}

/**
 * Answers as many filters as the client asked about, unless it takes no packet of that size [MQTT-3.1.2-24]: then
 * it would wait for ever, and is told why not. Every other answer is shorter than the CONNACK it has taken.
 */
function reply(bytes: Uint8Array, owner: SessionSubscribeOwner): boolean {
  const fits = bytes.length <= owner.clientPacketBytesMax;
  if (fits) owner.queue(bytes);
  else owner.end("answer_too_large");
  return fits;
}
