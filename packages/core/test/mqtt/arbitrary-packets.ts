/**
 * Any packet the standard allows, by side and version: what the codec's property tests draw from.
 *
 * Values are in the codec's normal form: no empty property list, nothing of MQTT 5 in 3.1.1.
 */

import fc from "fast-check";
import { packetType } from "../../src/mqtt/packet-type.ts";
import type {
  AuthPacket,
  ClientPacket,
  ConnackPacket,
  ConnectPacket,
  DisconnectPacket,
  Properties,
  ProtocolVersion,
  PublishPacket,
  QoS,
  ServerPacket,
  SubscribePacket,
  Will,
} from "../../src/mqtt/packets.ts";
import {
  type PropertyHome,
  type PropertyRow,
  propertyTable,
  willProperties,
} from "../../src/mqtt/property-table.ts";
import { type ReasonCodeCarrier, reasonCodesOf } from "../../src/mqtt/reason-code.ts";

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Mostly ASCII; also every other length of UTF-8, and U+FEFF, which must survive. */
const character = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0x20, max: 0x7e }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(0x01, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfeff, 0xffff, 0x10000),
  },
  { weight: 1, arbitrary: fc.integer({ min: 0x10000, max: 0x10ffff }) },
);

export const texts: fc.Arbitrary<string> = fc
  .array(character, { maxLength: 24 })
  .map((codePoints) => String.fromCodePoint(...codePoints));
export const topicNames: fc.Arbitrary<string> = texts.map(
  (text) => `t${text.replaceAll("#", "").replaceAll("+", "")}`,
);
export const bytes: fc.Arbitrary<Uint8Array> = fc
  .uint8Array({ maxLength: 40 })
  .map((array) => new Uint8Array(array));

const identifiers = fc.integer({ min: 1, max: 0xffff });
const qualities = fc.constantFrom<QoS>(0, 1, 2);
const bits = fc.constantFrom<0 | 1>(0, 1);

function propertyValues(row: PropertyRow): fc.Arbitrary<unknown> {
  const min = row.least;
  switch (row.type) {
    case "flag":
      return bits;
    case "twoByteInteger":
      return fc.integer({ min, max: 0xffff });
    case "fourByteInteger":
      return fc.integer({ min, max: 0xffffffff });
    case "variableByteInteger":
      return fc.integer({ min, max: 268_435_455 });
    case "utf8String":
      return row.topicName ? topicNames : texts;
    case "binaryData":
      return bytes;
    case "utf8StringPair":
      return fc.tuple(texts, texts);
  }
}

function properties(
  home: PropertyHome,
  besides: readonly (keyof Properties)[] = [],
): fc.Arbitrary<Properties | undefined> {
  const members: Record<string, fc.Arbitrary<unknown>> = {};
  for (const row of propertyTable) {
    if (((row.homes >> home) & 1) === 0 || besides.includes(row.name)) continue;
    const value = propertyValues(row);
    const maxLength = ((row.repeatsIn >> home) & 1) === 0 ? 1 : 3;
    members[row.name] = row.repeatsIn === 0 ? value : fc.array(value, { minLength: 1, maxLength });
  }
  return fc
    .option(fc.record(members, { requiredKeys: [], noNullPrototype: true }), { nil: undefined })
    .map((list) => (list === undefined || Object.keys(list).length === 0 ? undefined : (list as Properties)));
}

/** Leaves members out instead of setting them to undefined. */
function defined<T extends object>(value: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
}

function propertiesIn(version: ProtocolVersion, home: PropertyHome, besides?: readonly (keyof Properties)[]) {
  return version === 5 ? properties(home, besides) : fc.constant(undefined);
}

function codes(carrier: ReasonCodeCarrier): fc.Arbitrary<number> {
  return fc.constantFrom<number>(...reasonCodesOf[carrier]);
}

function wills(version: ProtocolVersion): fc.Arbitrary<Will> {
  return fc
    .record({
      topic: topicNames,
      payload: bytes,
      qos: qualities,
      retain: fc.boolean(),
      properties: propertiesIn(version, willProperties),
    })
    .map((will) => defined<Will>(will));
}

export function connects(version: ProtocolVersion): fc.Arbitrary<ConnectPacket> {
  return fc
    .record({
      type: fc.constant("connect" as const),
      protocolVersion: fc.constant(version),
      cleanStart: fc.boolean(),
      keepAlive: fc.integer({ min: 0, max: 0xffff }),
      clientIdentifier: texts,
      userName: fc.option(texts, { nil: undefined }),
      password: fc.option(bytes, { nil: undefined }),
      will: fc.option(wills(version), { nil: undefined }),
      properties: propertiesIn(version, packetType.connect),
    })
    .map((value) => {
      const packet = defined<Writable<ConnectPacket>>(value);
      if (version === 4 && packet.userName === undefined) delete packet.password;
      if (packet.properties?.authenticationData !== undefined) {
        packet.properties = { authenticationMethod: "m", ...packet.properties };
      }
      return packet;
    });
}

function publishes(
  version: ProtocolVersion,
  besides: readonly (keyof Properties)[],
): fc.Arbitrary<PublishPacket> {
  return fc
    .record({
      type: fc.constant("publish" as const),
      dup: fc.boolean(),
      qos: qualities,
      retain: fc.boolean(),
      topic: fc.oneof({ weight: 5, arbitrary: topicNames }, { weight: 1, arbitrary: fc.constant("") }),
      packetIdentifier: identifiers,
      payload: bytes,
      properties: propertiesIn(version, packetType.publish, besides),
    })
    .map((value) => {
      const packet = defined<Writable<PublishPacket>>(value);
      if (packet.qos === 0) {
        packet.dup = false;
        delete packet.packetIdentifier;
      }
      if (packet.topic === "" && packet.properties?.topicAlias === undefined) packet.topic = "t";
      return packet;
    });
}

function acknowledgements<T extends "puback" | "pubrec" | "pubrel" | "pubcomp">(
  version: ProtocolVersion,
  type: T,
) {
  return fc
    .record({
      type: fc.constant(type),
      packetIdentifier: identifiers,
      reasonCode: version === 5 ? codes(type) : fc.constant(0),
      properties: propertiesIn(version, packetType[type]),
    })
    .map((value) =>
      defined<{ type: T; packetIdentifier: number; reasonCode: number; properties?: Properties }>(value),
    );
}

function subscribes(version: ProtocolVersion): fc.Arbitrary<SubscribePacket> {
  const is5 = version === 5;
  const subscription = fc.record(
    {
      topicFilter: texts.map((text) => `f${text}`),
      qos: qualities,
      noLocal: is5 ? fc.boolean() : fc.constant(false),
      retainAsPublished: is5 ? fc.boolean() : fc.constant(false),
      retainHandling: is5 ? fc.constantFrom<0 | 1 | 2>(0, 1, 2) : fc.constant<0>(0),
    },
    { noNullPrototype: true },
  );
  return fc
    .record({
      type: fc.constant("subscribe" as const),
      packetIdentifier: identifiers,
      subscriptions: fc.array(subscription, { minLength: 1, maxLength: 4 }),
      properties: propertiesIn(version, packetType.subscribe),
    })
    .map((value) => defined<SubscribePacket>(value));
}

function disconnects(version: ProtocolVersion, carrier: "disconnectFromClient" | "disconnectFromServer") {
  const besides = carrier === "disconnectFromServer" ? (["sessionExpiryInterval"] as const) : [];
  return fc
    .record({
      type: fc.constant("disconnect" as const),
      reasonCode: version === 5 ? codes(carrier) : fc.constant(0),
      properties: propertiesIn(version, packetType.disconnect, besides),
    })
    .map((value) => defined<DisconnectPacket>(value));
}

function auths(carrier: "authFromClient" | "authFromServer"): fc.Arbitrary<AuthPacket> {
  return fc.record(
    {
      type: fc.constant("auth" as const),
      reasonCode: codes(carrier),
      properties: properties(packetType.auth).map((list) => ({ authenticationMethod: "m", ...list })),
    },
    { noNullPrototype: true },
  );
}

/** All but CONNECT: what may follow it. */
export function clientPackets(version: ProtocolVersion): fc.Arbitrary<ClientPacket> {
  const unsubscribe = fc
    .record({
      type: fc.constant("unsubscribe" as const),
      packetIdentifier: identifiers,
      topicFilters: fc.array(topicNames, { minLength: 1, maxLength: 4 }),
      properties: propertiesIn(version, packetType.unsubscribe),
    })
    .map((value) => defined<Extract<ClientPacket, { type: "unsubscribe" }>>(value));
  return fc.oneof<fc.Arbitrary<ClientPacket>[]>(
    publishes(version, ["subscriptionIdentifiers"]),
    acknowledgements(version, "puback"),
    acknowledgements(version, "pubrec"),
    acknowledgements(version, "pubrel"),
    acknowledgements(version, "pubcomp"),
    subscribes(version),
    unsubscribe,
    fc.constant({ type: "pingreq" }),
    disconnects(version, "disconnectFromClient"),
    ...(version === 5 ? [auths("authFromClient")] : []),
  );
}

export function connacks(version: ProtocolVersion): fc.Arbitrary<ConnackPacket> {
  return fc
    .record({
      type: fc.constant("connack" as const),
      sessionPresent: fc.boolean(),
      reasonCode: codes(version === 5 ? "connack" : "connack311"),
      properties: propertiesIn(version, packetType.connack),
    })
    .map((value) => {
      const packet = defined<Writable<ConnackPacket>>(value);
      if (packet.reasonCode !== 0) packet.sessionPresent = false;
      return packet;
    });
}

/** All but CONNACK: what may follow it. */
export function serverPackets(version: ProtocolVersion): fc.Arbitrary<ServerPacket> {
  const answer = <T extends "suback" | "unsuback">(type: T, reasonCodes: fc.Arbitrary<number[]>) =>
    fc
      .record({
        type: fc.constant(type),
        packetIdentifier: identifiers,
        reasonCodes,
        properties: propertiesIn(version, packetType[type]),
      })
      .map((value) =>
        defined<{ type: T; packetIdentifier: number; reasonCodes: number[]; properties?: Properties }>(value),
      );
  const some = (carrier: ReasonCodeCarrier) => fc.array(codes(carrier), { minLength: 1, maxLength: 4 });
  return fc.oneof<fc.Arbitrary<ServerPacket>[]>(
    publishes(version, []),
    acknowledgements(version, "puback"),
    acknowledgements(version, "pubrec"),
    acknowledgements(version, "pubrel"),
    acknowledgements(version, "pubcomp"),
    answer("suback", some(version === 5 ? "suback" : "suback311")),
    answer("unsuback", version === 5 ? some("unsuback") : fc.constant([])),
    fc.constant({ type: "pingresp" }),
    ...(version === 5 ? [disconnects(version, "disconnectFromServer"), auths("authFromServer")] : []),
  );
}
