/**
 * Properties of MQTT 5.0 (§2.2.2.2, table 2-4): identifier, type, and the packets each belongs to.
 *
 * Decoder and encoder both walk this table, so neither can allow what the other refuses.
 */

import { packetType } from "./packet-type.ts";
import type { Properties } from "./packets.ts";

export type PropertyType =
  /** A Byte of 0 or 1; all one-byte properties of MQTT 5.0 are such. */
  | "flag"
  | "twoByteInteger"
  | "fourByteInteger"
  | "variableByteInteger"
  | "utf8String"
  | "binaryData"
  | "utf8StringPair";

/** Where properties stand: a packet by its type, or 0 for Will Properties (§3.1.3.2). */
export type PropertyHome = number;
export const willProperties: PropertyHome = 0;

export interface PropertyRow {
  readonly identifier: number;
  readonly name: keyof Properties;
  readonly type: PropertyType;
  /** Bits `1 << PropertyHome`. */
  readonly homes: number;
  /** Where the property may repeat, as bits `1 << PropertyHome`; anywhere else a second one is 0x82. */
  readonly repeatsIn: number;
  /** Least value; 0 for most. */
  readonly least: 0 | 1;
  /** A Topic Name: no wildcard characters [MQTT-3.3.2-14]. */
  readonly topicName: boolean;
}

const { connect, connack, publish, puback, pubrec, pubrel, pubcomp } = packetType;
const { subscribe, suback, unsubscribe, unsuback, disconnect, auth } = packetType;
const will = willProperties;
const answers = [connack, puback, pubrec, pubrel, pubcomp, suback, unsuback, disconnect, auth];
const everywhere = [will, connect, publish, subscribe, unsubscribe, ...answers];

function row(
  identifier: number,
  name: keyof Properties,
  type: PropertyType,
  homes: readonly PropertyHome[],
  rules: { readonly repeatsIn?: readonly PropertyHome[]; readonly least?: 1; readonly topicName?: true } = {},
): PropertyRow {
  return Object.freeze({
    identifier,
    name,
    type,
    homes: bits(homes),
    repeatsIn: bits(rules.repeatsIn ?? []),
    least: rules.least ?? 0,
    topicName: rules.topicName ?? false,
  });
}

function bits(homes: readonly PropertyHome[]): number {
  return homes.reduce((set, home) => set | (1 << home), 0);
}

/** In the order of their identifiers; a property's index here is below 32, so that a set of them is a number. */
export const propertyTable: readonly PropertyRow[] = Object.freeze([
  row(0x01, "payloadFormatIndicator", "flag", [publish, will]),
  row(0x02, "messageExpiryInterval", "fourByteInteger", [publish, will]),
  row(0x03, "contentType", "utf8String", [publish, will]),
  row(0x08, "responseTopic", "utf8String", [publish, will], { topicName: true }),
  row(0x09, "correlationData", "binaryData", [publish, will]),
  row(0x0b, "subscriptionIdentifiers", "variableByteInteger", [publish, subscribe], {
    repeatsIn: [publish],
    least: 1,
  }),
  row(0x11, "sessionExpiryInterval", "fourByteInteger", [connect, connack, disconnect]),
  row(0x12, "assignedClientIdentifier", "utf8String", [connack]),
  row(0x13, "serverKeepAlive", "twoByteInteger", [connack]),
  row(0x15, "authenticationMethod", "utf8String", [connect, connack, auth]),
  row(0x16, "authenticationData", "binaryData", [connect, connack, auth]),
  row(0x17, "requestProblemInformation", "flag", [connect]),
  row(0x18, "willDelayInterval", "fourByteInteger", [will]),
  row(0x19, "requestResponseInformation", "flag", [connect]),
  row(0x1a, "responseInformation", "utf8String", [connack]),
  row(0x1c, "serverReference", "utf8String", [connack, disconnect]),
  row(0x1f, "reasonString", "utf8String", answers),
  row(0x21, "receiveMaximum", "twoByteInteger", [connect, connack], { least: 1 }),
  row(0x22, "topicAliasMaximum", "twoByteInteger", [connect, connack]),
  row(0x23, "topicAlias", "twoByteInteger", [publish], { least: 1 }),
  row(0x24, "maximumQoS", "flag", [connack]),
  row(0x25, "retainAvailable", "flag", [connack]),
  row(0x26, "userProperties", "utf8StringPair", everywhere, { repeatsIn: everywhere }),
  row(0x27, "maximumPacketSize", "fourByteInteger", [connect, connack], { least: 1 }),
  row(0x28, "wildcardSubscriptionAvailable", "flag", [connack]),
  row(0x29, "subscriptionIdentifiersAvailable", "flag", [connack]),
  row(0x2a, "sharedSubscriptionAvailable", "flag", [connack]),
]);
