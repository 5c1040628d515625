/**
 * Decodes PUBLISH (MQTT 5.0 §3.3, 3.1.1 §3.3), the hot path of a bridge: one view a packet, and no string
 * while the Topic Name stays that of the packet before, as it does for most devices.
 */

import { MqttError, protocolError } from "./error.ts";
import { packetType } from "./packet-type.ts";
import type { ProtocolVersion, PublishPacket, QoS } from "./packets.ts";
import { decodeProperties } from "./properties.decode.ts";
import { hasWildcard } from "./topic-name.ts";
import type { WireReader } from "./wire-reader.ts";

/** Longer Topic Names are not remembered: this bounds what an idle connection holds. */
export const REMEMBERED_TOPIC_LENGTH_MAX = 256;

/** The Topic Name that a connection's last PUBLISH had, checked; "" at first. One for each decoder. */
export interface TopicMemory {
  topic: string;
}

/** @param firstByte checked already: its QoS is 0 to 2, its DUP fits. @throws {MqttError} */
export function decodePublish(
  reader: WireReader,
  firstByte: number,
  version: ProtocolVersion,
  memory: TopicMemory,
): PublishPacket {
  const qos = qosOf(firstByte);
  const dup = (firstByte & 0x08) !== 0;
  const retain = (firstByte & 0x01) !== 0;
  const last = memory.topic;
  const topic = reader.utf8StringLike(last);
  if (topic !== last) {
    if (hasWildcard(topic))
      throw new MqttError("topic_name_invalid", "a Topic Name with wildcard characters");
    if (topic.length <= REMEMBERED_TOPIC_LENGTH_MAX) memory.topic = topic;
  }
  const packetIdentifier = qos === 0 ? 0 : reader.packetIdentifier();
  const properties = version === 5 ? decodeProperties(reader, packetType.publish) : undefined;
  if (topic === "" && properties?.topicAlias === undefined) {
    throw protocolError("PUBLISH with neither Topic Name nor Topic Alias"); // MQTT-4.7.3-1, 5.0 §3.3.2.1
  }
  const payload = reader.view(reader.remaining);
  if (properties === undefined) {
    return qos === 0
      ? { type: "publish", dup, qos, retain, topic, payload }
      : { type: "publish", dup, qos, retain, topic, packetIdentifier, payload };
  }
  return qos === 0
    ? { type: "publish", dup, qos, retain, topic, payload, properties }
    : { type: "publish", dup, qos, retain, topic, packetIdentifier, payload, properties };
}

function qosOf(firstByte: number): QoS {
  const bits = firstByte & 0x06;
  return bits === 0 ? 0 : bits === 2 ? 1 : 2;
}
