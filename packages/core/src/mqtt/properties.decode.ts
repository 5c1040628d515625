/**
 * Decodes Properties (MQTT 5.0 §2.2.2): a length, then identifiers each with its value.
 *
 * Refused: an unknown identifier or one of another packet (0x81, §2.2.2.2), a second one of a kind that may
 * not repeat, and values outside their range (0x82).
 */

import { MqttError, malformed, protocolError } from "./error.ts";
import type { Properties } from "./packets.ts";
import { type PropertyHome, type PropertyRow, propertyTable } from "./property-table.ts";
import { hasWildcard } from "./topic-name.ts";
import type { WireReader } from "./wire-reader.ts";

/**
 * Reads the property length and the properties it counts.
 *
 * @returns undefined where the length is 0: most packets carry none, and those cost no object.
 * @throws {MqttError}
 */
export function decodeProperties(reader: WireReader, home: PropertyHome): Properties | undefined {
  const length = reader.variableByteInteger();
  if (length === 0) return undefined;
  if (length > reader.remaining) throw malformed("the property length reaches past the end of its packet");
  const packetEnd = reader.end;
  reader.end = reader.position + length;
  const properties: Record<string, unknown> = {};
  let seen = 0;
  while (reader.remaining > 0) {
    const identifier = reader.variableByteInteger();
    const index = propertyIndex(identifier);
    const row = propertyTable[index];
    if (row === undefined || ((row.homes >> home) & 1) === 0) {
      throw malformed("a property that does not belong to this packet", { identifier, packetType: home });
    }
    const isSecond = ((seen >> index) & 1) === 1;
    seen |= 1 << index;
    if (isSecond && ((row.repeatsIn >> home) & 1) === 0) {
      throw protocolError("a property that may stand once is repeated", { identifier });
    }
    const value = decodeValue(reader, row);
    if (row.repeatsIn === 0) {
      properties[row.name] = value;
    } else {
      const list = properties[row.name];
      if (Array.isArray(list)) list.push(value);
      else properties[row.name] = [value];
    }
  }
  reader.end = packetEnd;
  // Each name was given the type the table states for it, and the table was checked against Properties.
  return properties as Properties;
}

function decodeValue(reader: WireReader, row: PropertyRow): unknown {
  switch (row.type) {
    case "flag": {
      const value = reader.byte();
      if (value > 1) throw outOfRange(row);
      return value;
    }
    case "twoByteInteger":
      return atLeast(row, reader.twoByteInteger());
    case "fourByteInteger":
      return atLeast(row, reader.fourByteInteger());
    case "variableByteInteger":
      return atLeast(row, reader.variableByteInteger());
    case "utf8String": {
      const text = reader.utf8String();
      if (row.topicName && (text === "" || hasWildcard(text))) throw outOfRange(row);
      return text;
    }
    case "binaryData":
      // Correlation Data may be kept for long; Authentication Data is a credential: the fewer copies the better.
      return row.name === "authenticationData" ? reader.binaryData() : reader.binaryDataCopy();
    case "utf8StringPair":
      return [reader.utf8String(), reader.utf8String()];
  }
}

function atLeast(row: PropertyRow, value: number): number {
  if (value < row.least) throw outOfRange(row);
  return value;
}

function outOfRange(row: PropertyRow): MqttError {
  const facts = { identifier: row.identifier };
  if (row.name === "topicAlias") return new MqttError("topic_alias_invalid", "Topic Alias 0", facts); // MQTT-3.3.2-8
  return protocolError("a property's value is out of its range", facts);
}

/** Index in the table, which is in the order of identifiers; -1 for an unknown one. */
function propertyIndex(identifier: number): number {
  let low = 0;
  let high = propertyTable.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = propertyTable[middle]?.identifier ?? 0;
    if (found === identifier) return middle;
    if (found < identifier) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
