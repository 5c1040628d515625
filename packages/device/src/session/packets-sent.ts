/**
 * The packets an agent sends that say more than a number: CONNECT, SUBSCRIBE and PUBLISH, filled in for its version.
 *
 * Left to others: when (`session.ts`), and their bytes (`@mayfly/core/mqtt-client`).
 */
import { utf8Encode } from "@mayfly/core";
import type { ClientPacket, Properties, ProtocolVersion } from "@mayfly/core/mqtt";
import type { OutgoingMessage } from "../outbox.ts";
import { tokenProperties } from "./reauthentication.ts";
import type { ConnectOrder, SessionOptions } from "./session-report.ts";

/** Receive Maximum we announce; 3.1.1 cannot say it, so there more ends the connection. */
export const downlinkInFlightMax = 20;
/** Maximum Packet Size we announce: a command of 256 KiB and its header. */
export const packetBytesMax = 264 * 1024;

export function connectPacket(options: SessionOptions, order: ConnectOrder): ClientPacket {
  const { protocolVersion, clientIdentifier, keepAliveSeconds, cleanStart, authentication } = options;
  const isByMethod = authentication === "method";
  const properties: Properties = {
    receiveMaximum: downlinkInFlightMax,
    maximumPacketSize: packetBytesMax,
    ...(isByMethod ? tokenProperties(order.token) : undefined),
  };
  return {
    type: "connect",
    protocolVersion,
    cleanStart,
    keepAlive: keepAliveSeconds,
    clientIdentifier,
    userName: order.userName,
    ...(isByMethod ? undefined : { password: utf8Encode(order.token) }),
    ...(protocolVersion === 5 ? { properties } : undefined),
  };
}

/** All Topic Filters at QoS 1. */
export function subscribePacket(topicFilters: readonly string[], packetIdentifier: number): ClientPacket {
  return {
    type: "subscribe",
    packetIdentifier,
    subscriptions: topicFilters.map((topicFilter) => ({
      topicFilter,
      qos: 1,
      noLocal: false,
      retainAsPublished: false,
      retainHandling: 0,
    })),
  };
}

/**
 * @param packetIdentifier undefined exactly for QoS 0.
 * @param time `again`: with DUP, in a Session that goes on.
 */
export function publishPacket(
  message: OutgoingMessage,
  packetIdentifier: number | undefined,
  time: "first" | "again",
  protocolVersion: ProtocolVersion,
): ClientPacket {
  const { topic, payload, qos, messageId } = message;
  return {
    type: "publish",
    dup: time === "again",
    qos,
    retain: false,
    topic,
    payload,
    ...(packetIdentifier === undefined ? undefined : { packetIdentifier }),
    ...(messageId === undefined || protocolVersion === 4
      ? undefined
      : { properties: { userProperties: [["id", messageId]] } }),
  };
}
