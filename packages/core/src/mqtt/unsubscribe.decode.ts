/**
 * Decodes UNSUBSCRIBE (MQTT 5.0 §3.10, 3.1.1 §3.10).
 */

import { protocolError } from "./error.ts";
import { packetType } from "./packet-type.ts";
import type { ProtocolVersion, UnsubscribePacket } from "./packets.ts";
import { decodeProperties } from "./properties.decode.ts";
import type { WireReader } from "./wire-reader.ts";

/** @throws {MqttError} */
export function decodeUnsubscribe(reader: WireReader, version: ProtocolVersion): UnsubscribePacket {
  const packetIdentifier = reader.packetIdentifier();
  const properties = version === 5 ? decodeProperties(reader, packetType.unsubscribe) : undefined;
  if (reader.remaining === 0) throw protocolError("UNSUBSCRIBE without a Topic Filter"); // MQTT-3.10.3-2
  const topicFilters: string[] = [];
  while (reader.remaining > 0) {
    const topicFilter = reader.utf8String();
    if (topicFilter === "") throw protocolError("an empty Topic Filter"); // MQTT-4.7.3-1
    topicFilters.push(topicFilter);
  }
  return properties === undefined
    ? { type: "unsubscribe", packetIdentifier, topicFilters }
    : { type: "unsubscribe", packetIdentifier, topicFilters, properties };
}
