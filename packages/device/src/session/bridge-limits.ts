/**
 * What the bridge allows on one Network Connection, as its CONNACK says (MQTT 5.0 §3.2.2.3); 3.1.1 says nothing, which
 * leaves our own bounds.
 */
import type { Properties } from "@mayfly/core/mqtt";

/** Topic Names of ours that get an alias; the bridge may allow less. */
export const outgoingAliasesMax = 8;

export interface BridgeLimits {
  /** PUBLISHes of QoS 1 without PUBACK, 1 to 65,535. */
  readonly receiveMaximum: number;
  /** Of a whole packet of ours; infinite where it named none. */
  readonly packetBytesMax: number;
  /** 0 to {@link outgoingAliasesMax}. */
  readonly topicAliasMaximum: number;
  readonly keepAliveSeconds: number;
  /** Whether a Topic Filter may end in `#`. */
  readonly hasWildcards: boolean;
  /** Whether QoS 1 is served at all. */
  readonly hasQos1: boolean;
}

/** @param keepAliveSeconds Of our CONNECT. A Server Keep Alive replaces it [MQTT-3.1.2-21]. */
export function readBridgeLimits(connack: Properties | undefined, keepAliveSeconds: number): BridgeLimits {
  const server = connack?.serverKeepAlive;
  return {
    receiveMaximum: connack?.receiveMaximum ?? 0xffff,
    packetBytesMax: connack?.maximumPacketSize ?? Number.POSITIVE_INFINITY,
    topicAliasMaximum: Math.min(outgoingAliasesMax, connack?.topicAliasMaximum ?? 0),
    // 0 means that the bridge does not watch us. We still watch it: PINGREQ may be sent at any time.
    keepAliveSeconds: server === undefined || server === 0 ? keepAliveSeconds : server,
    hasWildcards: connack?.wildcardSubscriptionAvailable !== 0,
    hasQos1: connack?.maximumQoS !== 0,
  };
}
