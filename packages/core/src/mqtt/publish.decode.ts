/**
 * Decodes PUBLISH (MQTT 5.0 §3.3, 3.1.1 §3.3), the hot path of a bridge: one string and one view a packet.
 */

import { MqttError, protocolError } from "./error.ts";
import { packetType } from "./packet-type.ts";
import type { ProtocolVersion, PublishPacket, QoS } from "./packets.ts";
import { decodeProperties } from "./properties.decode.ts";
import { hasWildcard } from "./topic-name.ts";
import type { WireReader } from "./wire-reader.ts";

/** @param firstByte checked already: its QoS is 0 to 2, its DUP fits. @throws {MqttError} */
export function decodePublish(
  reader: WireReader,
  firstByte: number,
  version: ProtocolVersion,
): PublishPacket {
  const qos = qosOf(firstByte);
  const dup = (firstByte & 0x08) !== 0;
  const retain = (firstByte & 0x01) !== 0;
  const topic = reader.utf8String();
  if (hasWildcard(topic)) throw new MqttError("topic_name_invalid", "a Topic Name with wildcard characters");
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
