/**
 * Decodes SUBSCRIBE (MQTT 5.0 §3.8, 3.1.1 §3.8).
 *
 * Left to others: whether a Topic Filter is well-formed and allowed; a SUBACK answers that filter by filter.
 */

import { malformed, protocolError } from "./error.ts";
import { packetType } from "./packet-type.ts";
import type { ProtocolVersion, SubscribePacket, SubscriptionRequest } from "./packets.ts";
import { decodeProperties } from "./properties.decode.ts";
import type { WireReader } from "./wire-reader.ts";

/** @throws {MqttError} */
export function decodeSubscribe(reader: WireReader, version: ProtocolVersion): SubscribePacket {
  const packetIdentifier = reader.packetIdentifier();
  const properties = version === 5 ? decodeProperties(reader, packetType.subscribe) : undefined;
  if (reader.remaining === 0) throw protocolError("SUBSCRIBE without a Topic Filter"); // MQTT-3.8.3-2
  const subscriptions: SubscriptionRequest[] = [];
  while (reader.remaining > 0) subscriptions.push(decodeSubscription(reader, version));
  return properties === undefined
    ? { type: "subscribe", packetIdentifier, subscriptions }
    : { type: "subscribe", packetIdentifier, subscriptions, properties };
}

function decodeSubscription(reader: WireReader, version: ProtocolVersion): SubscriptionRequest {
  const topicFilter = reader.utf8String();
  if (topicFilter === "") throw protocolError("an empty Topic Filter"); // MQTT-4.7.3-1
  const options = reader.byte();
  if ((options & (version === 5 ? 0xc0 : 0xfc)) !== 0) {
    throw malformed("reserved bits of the Subscription Options are set", { options }); // MQTT-3.8.3-5, 3.1.1: -4
  }
  const qos = options & 0x03;
  if (qos === 3) throw protocolError("a subscription with QoS 3");
  const retainHandling = (options >> 4) & 0x03;
  if (retainHandling === 3) throw protocolError("Retain Handling 3");
  const noLocal = (options & 0x04) !== 0;
  if (noLocal && topicFilter.startsWith("$share/")) {
    throw protocolError("No Local on a Shared Subscription"); // MQTT-3.8.3-4
  }
  const retainAsPublished = (options & 0x08) !== 0;
  return {
    topicFilter,
    qos: qos === 0 ? 0 : qos === 1 ? 1 : 2,
    noLocal,
    retainAsPublished,
    retainHandling: retainHandling === 0 ? 0 : retainHandling === 1 ? 1 : 2,
  };
}
