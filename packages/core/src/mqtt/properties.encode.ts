/**
 * Encodes Properties (MQTT 5.0 §2.2.2) in the order of the table, user properties in their own order.
 *
 * What a decoder would refuse here is `not_encodable`: a property of another packet, a value out of range.
 */

import { notEncodable } from "./error.ts";
import type { Properties, ProtocolVersion } from "./packets.ts";
import { type PropertyHome, type PropertyRow, propertyTable } from "./property-table.ts";
import { hasWildcard } from "./topic-name.ts";
import { VARIABLE_BYTE_INTEGER_MAX, WireWriter } from "./wire-writer.ts";

/** Most property lists are short; longer ones grow. */
const PROPERTIES_BYTES_GUESS = 64;

/** Whether there is anything to encode; names with the value undefined count as absent. */
export function hasProperties(properties: Properties | undefined): properties is Properties {
  if (properties === undefined) return false;
  for (const value of Object.values(properties)) if (value !== undefined) return true;
  return false;
}

/**
 * Writes the property length and the properties to `writer`; nothing in MQTT 3.1.1, which has none.
 *
 * @throws {MqttError} not_encodable
 */
export function encodeProperties(
  writer: WireWriter,
  properties: Properties | undefined,
  home: PropertyHome,
  version: ProtocolVersion,
): void {
  if (version === 4) {
    if (hasProperties(properties)) throw notEncodable("MQTT 3.1.1 has no properties");
    return;
  }
  if (!hasProperties(properties)) {
    writer.byte(0);
    return;
  }
  const list = new WireWriter(PROPERTIES_BYTES_GUESS);
  for (const row of propertyTable) {
    const value: unknown = properties[row.name];
    if (value === undefined) continue;
    if (((row.homes >> home) & 1) === 0) {
      throw notEncodable("a property that does not belong to this packet", { property: row.name });
    }
    if (row.repeatsIn === 0) {
      encodeOne(list, row, value);
      continue;
    }
    if (!Array.isArray(value)) throw mistyped(row);
    if (value.length > 1 && ((row.repeatsIn >> home) & 1) === 0) {
      throw notEncodable("a property that may stand once is repeated", { property: row.name });
    }
    for (const one of value) encodeOne(list, row, one);
  }
  writer.counted(list);
}

function encodeOne(list: WireWriter, row: PropertyRow, value: unknown): void {
  list.byte(row.identifier);
  switch (row.type) {
    case "flag":
      list.byte(number(row, value, 1));
      break;
    case "twoByteInteger":
      list.twoByteInteger(number(row, value, 0xffff));
      break;
    case "fourByteInteger":
      list.fourByteInteger(number(row, value, 0xffffffff));
      break;
    case "variableByteInteger":
      list.variableByteInteger(number(row, value, VARIABLE_BYTE_INTEGER_MAX));
      break;
    case "utf8String": {
      const text = string(row, value);
      if (row.topicName && (text === "" || hasWildcard(text))) throw mistyped(row);
      list.utf8String(text);
      break;
    }
    case "binaryData":
      if (!(value instanceof Uint8Array)) throw mistyped(row);
      list.binaryData(value);
      break;
    case "utf8StringPair":
      if (!Array.isArray(value) || value.length !== 2) throw mistyped(row);
      list.utf8String(string(row, value[0]));
      list.utf8String(string(row, value[1]));
      break;
  }
}

function number(row: PropertyRow, value: unknown, most: number): number {
  if (typeof value !== "number" || !(value >= row.least && value <= most)) throw mistyped(row);
  return value;
}

function string(row: PropertyRow, value: unknown): string {
  if (typeof value !== "string") throw mistyped(row);
  return value;
}

function mistyped(row: PropertyRow): Error {
  return notEncodable("a property's value is out of its range", { property: row.name });
}
