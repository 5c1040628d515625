/**
 * Encodes SUBSCRIBE (MQTT 5.0 §3.8, 3.1.1 §3.8).
 */

import { notEncodable } from "./error.ts";
import { packetType } from "./packet-type.ts";
import type { ProtocolVersion, SubscribePacket, SubscriptionRequest } from "./packets.ts";
import { encodeProperties } from "./properties.encode.ts";
import { WireWriter } from "./wire-writer.ts";

const SUBSCRIBE_BYTES_GUESS = 128;

/** @throws {MqttError} not_encodable */
export function encodeSubscribe(packet: SubscribePacket, version: ProtocolVersion): Uint8Array {
  if (packet.subscriptions.length === 0) throw notEncodable("SUBSCRIBE without a Topic Filter");
  const writer = new WireWriter(SUBSCRIBE_BYTES_GUESS);
  writer.packetIdentifier(packet.packetIdentifier);
  encodeProperties(writer, packet.properties, packetType.subscribe, version);
  for (const subscription of packet.subscriptions) {
    if (subscription.topicFilter === "") throw notEncodable("an empty Topic Filter");
    writer.utf8String(subscription.topicFilter);
    writer.byte(subscriptionOptions(subscription, version));
  }
  return writer.finish((packetType.subscribe << 4) | 0b0010);
}

function subscriptionOptions(subscription: SubscriptionRequest, version: ProtocolVersion): number {
  const { topicFilter, qos, noLocal, retainAsPublished, retainHandling } = subscription;
  if (noLocal && topicFilter.startsWith("$share/")) throw notEncodable("No Local on a Shared Subscription");
  const options = qos | (noLocal ? 0x04 : 0) | (retainAsPublished ? 0x08 : 0) | (retainHandling << 4);
  if (version === 4 && options !== qos) throw notEncodable("MQTT 3.1.1 has no Subscription Options but QoS");
  return options;
}
