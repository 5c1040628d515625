import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { propertyTable } from "./property-table.ts";

/** mqtt-packet's own tables; it does not export them by its door. */
const oracle = createRequire(import.meta.url)("mqtt-packet/constants.js") as {
  properties: Record<string, number>;
  propertiesTypes: Record<string, string>;
};
/** The one name that differs: we hold a list. */
const nameThere: Readonly<Record<string, string>> = { subscriptionIdentifiers: "subscriptionIdentifier" };
const typeHere: Readonly<Record<string, string>> = {
  byte: "flag",
  int8: "flag",
  int16: "twoByteInteger",
  int32: "fourByteInteger",
  var: "variableByteInteger",
  string: "utf8String",
  binary: "binaryData",
  pair: "utf8StringPair",
};

test("the table knows each property of MQTT 5.0 by the identifier and type of mqtt-packet's", () => {
  const ours = propertyTable.map(({ identifier, name, type }) => [nameThere[name] ?? name, identifier, type]);

  const theirs = Object.entries(oracle.properties)
    .map(([name, identifier]) => [name, identifier, typeHere[oracle.propertiesTypes[name] ?? ""]] as const)
    .sort(([, a], [, b]) => a - b);

  assert.deepEqual(ours, theirs);
});

test("identifiers ascend, and few enough rows that a set of them is a number", () => {
  const identifiers = propertyTable.map((row) => row.identifier);

  assert.deepEqual(
    identifiers,
    [...identifiers].sort((a, b) => a - b),
  );
  assert.ok(propertyTable.length < 32);
});

/** Table 2-4, column "Packet / Will Properties". */
const homes: Readonly<Record<string, readonly string[]>> = {
  payloadFormatIndicator: ["PUBLISH", "Will"],
  messageExpiryInterval: ["PUBLISH", "Will"],
  contentType: ["PUBLISH", "Will"],
  responseTopic: ["PUBLISH", "Will"],
  correlationData: ["PUBLISH", "Will"],
  subscriptionIdentifiers: ["PUBLISH", "SUBSCRIBE"],
  sessionExpiryInterval: ["CONNECT", "CONNACK", "DISCONNECT"],
  assignedClientIdentifier: ["CONNACK"],
  serverKeepAlive: ["CONNACK"],
  authenticationMethod: ["CONNECT", "CONNACK", "AUTH"],
  authenticationData: ["CONNECT", "CONNACK", "AUTH"],
  requestProblemInformation: ["CONNECT"],
  willDelayInterval: ["Will"],
  requestResponseInformation: ["CONNECT"],
  responseInformation: ["CONNACK"],
  serverReference: ["CONNACK", "DISCONNECT"],
  reasonString: [
    "CONNACK",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBACK",
    "UNSUBACK",
    "DISCONNECT",
    "AUTH",
  ],
  receiveMaximum: ["CONNECT", "CONNACK"],
  topicAliasMaximum: ["CONNECT", "CONNACK"],
  topicAlias: ["PUBLISH"],
  maximumQoS: ["CONNACK"],
  retainAvailable: ["CONNACK"],
  userProperties: [
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "Will",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "DISCONNECT",
    "AUTH",
  ],
  maximumPacketSize: ["CONNECT", "CONNACK"],
  wildcardSubscriptionAvailable: ["CONNACK"],
  subscriptionIdentifiersAvailable: ["CONNACK"],
  sharedSubscriptionAvailable: ["CONNACK"],
};
const bitNames = [
  "Will",
  "CONNECT",
  "CONNACK",
  "PUBLISH",
  "PUBACK",
  "PUBREC",
  "PUBREL",
  "PUBCOMP",
  "SUBSCRIBE",
  "SUBACK",
  "UNSUBSCRIBE",
  "UNSUBACK",
  "PINGREQ",
  "PINGRESP",
  "DISCONNECT",
  "AUTH",
];

for (const row of propertyTable) {
  test(`${row.name} stands in the packets of table 2-4 and in no other`, () => {
    const found = bitNames.filter((_, bit) => ((row.homes >> bit) & 1) === 1);

    assert.deepEqual(
      found,
      bitNames.filter((name) => homes[row.name]?.includes(name)),
    );
  });
}
