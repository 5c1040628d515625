/**
 * The packets an agent sends that say more than a number: CONNECT, SUBSCRIBE and PUBLISH, filled in for its version.
 *
 * Left to others: when (`session.ts`, `uplink.ts`), and their bytes (`@mayfly/core/mqtt-client`).
 */
import { utf8Encode } from "@mayfly/core";
import type { ClientPacket, Properties, ProtocolVersion, PublishPacket } from "@mayfly/core/mqtt";
import type { OutgoingMessage } from "../outbox.ts";
import { tokenProperties } from "./reauthentication.ts";
import type { ConnectOrder, SessionOptions } from "./session-report.ts";

export function connectPacket(options: SessionOptions, order: ConnectOrder): ClientPacket {
  const { protocolVersion, clientIdentifier, keepAliveSeconds, cleanStart, authentication, wire } = options;
  const isByMethod = authentication === "method";
  const properties: Properties = {
    receiveMaximum: wire.receiveMaximum,
    maximumPacketSize: wire.maximumPacketSize,
    ...(wire.topicAliasMaximum === 0 ? undefined : { topicAliasMaximum: wire.topicAliasMaximum }),
    ...(cleanStart ? undefined : { sessionExpiryInterval: wire.sessionExpirySeconds }),
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

/** How a PUBLISH goes over one connection. */
export interface PublishForm {
  /** undefined exactly for QoS 0. */
  readonly packetIdentifier: number | undefined;
  /** `again`: with DUP, in a Session that goes on. */
  readonly time: "first" | "again";
  /** Topic Alias that stands for the Topic Name, 0 for none. */
  readonly known: number;
  /** Topic Alias that is to stand for it from now on, 0 for none. */
  readonly offered: number;
}

export function publishPacket(
  message: OutgoingMessage,
  form: PublishForm,
  protocolVersion: ProtocolVersion,
): PublishPacket {
  const { topic, payload, qos, messageId } = message;
  const { packetIdentifier, time, known } = form;
  const topicAlias = known === 0 ? form.offered : known;
  const hasId = messageId !== undefined && protocolVersion === 5;
  return {
    type: "publish",
    dup: time === "again",
    qos,
    retain: false,
    topic: known === 0 ? topic : "",
    payload,
    ...(packetIdentifier === undefined ? undefined : { packetIdentifier }),
    ...(topicAlias === 0 && !hasId
      ? undefined
      : {
          properties: {
            ...(topicAlias === 0 ? undefined : { topicAlias }),
            ...(hasId ? { userProperties: [["id", messageId]] } : undefined),
          },
        }),
  };
}
