/**
 * Our codec against `mqtt-packet`, an independent one: each decodes what the other encoded to the same value.
 *
 * Where the two disagree it is written down below as data, with the clause. `mqtt-packet` keeps User Properties
 * by name and drops some empty values, so the packets compared here have none of those.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import mqttPacket from "mqtt-packet";
import { clientPackets, connacks, connects, serverPackets } from "../../test/mqtt/arbitrary-packets.ts";
import { ClientDecoder } from "./client-decoder.ts";
import { encodeClientPacket } from "./client-packet.encode.ts";
import { encodeConnack } from "./connack.encode.ts";
import { encodeConnect } from "./connect.encode.ts";
import type { MqttPacket, Properties, ProtocolVersion } from "./packets.ts";
import { propertyTable } from "./property-table.ts";
import { ServerDecoder } from "./server-decoder.ts";
import { encodeServerPacket } from "./server-packet.encode.ts";

type Side = "client" | "server";
type Theirs = Record<string, unknown>;

const MAXIMUM_PACKET_SIZE = 65_536;

/** All "byte" properties are booleans there, but Maximum QoS. */
const flagNames = new Set<string>(
  propertyTable.filter((row) => row.type === "flag" && row.name !== "maximumQoS").map((row) => row.name),
);

function theirProperties(properties: Properties): Theirs {
  const theirs: Theirs = {};
  for (const [name, value] of Object.entries(properties)) {
    if (flagNames.has(name)) theirs[name] = value === 1;
    else if (name === "subscriptionIdentifiers")
      theirs["subscriptionIdentifier"] = value.length === 1 ? value[0] : value;
    else if (name === "userProperties")
      theirs[name] = Object.assign(Object.create(null), Object.fromEntries(value));
    else theirs[name] = value instanceof Uint8Array ? Buffer.from(value) : value;
  }
  return theirs;
}

/** Our value in the shape of `mqtt-packet`. */
function toTheirs(packet: MqttPacket, version: ProtocolVersion): Theirs {
  const is5 = version === 5;
  const some =
    "properties" in packet && packet.properties !== undefined
      ? { properties: theirProperties(packet.properties) }
      : {};
  switch (packet.type) {
    case "connect": {
      const { will, userName, password } = packet;
      return {
        cmd: "connect",
        protocolId: "MQTT",
        protocolVersion: version,
        clean: packet.cleanStart,
        clientId: packet.clientIdentifier,
        keepalive: packet.keepAlive,
        ...(userName === undefined ? {} : { username: userName }),
        ...(password === undefined ? {} : { password: Buffer.from(password) }),
        ...(will === undefined
          ? {}
          : {
              will: {
                topic: will.topic,
                payload: Buffer.from(will.payload),
                qos: will.qos,
                retain: will.retain,
                ...(will.properties === undefined ? {} : { properties: theirProperties(will.properties) }),
              },
            }),
        ...some,
      };
    }
    case "connack":
      return {
        cmd: "connack",
        sessionPresent: packet.sessionPresent,
        [is5 ? "reasonCode" : "returnCode"]: packet.reasonCode,
        ...some,
      };
    case "publish":
      return {
        cmd: "publish",
        dup: packet.dup,
        qos: packet.qos,
        retain: packet.retain,
        topic: packet.topic,
        payload: Buffer.from(packet.payload),
        ...(packet.packetIdentifier === undefined ? {} : { messageId: packet.packetIdentifier }),
        ...some,
      };
    case "puback":
    case "pubrec":
    case "pubrel":
    case "pubcomp":
      return {
        cmd: packet.type,
        messageId: packet.packetIdentifier,
        ...(is5 ? { reasonCode: packet.reasonCode } : {}),
        ...some,
      };
    case "subscribe":
      return {
        cmd: "subscribe",
        messageId: packet.packetIdentifier,
        subscriptions: packet.subscriptions.map(
          ({ topicFilter, qos, noLocal, retainAsPublished, retainHandling }) => ({
            topic: topicFilter,
            qos,
            ...(is5 ? { nl: noLocal, rap: retainAsPublished, rh: retainHandling } : {}),
          }),
        ),
        ...some,
      };
    case "suback":
      return { cmd: "suback", messageId: packet.packetIdentifier, granted: packet.reasonCodes, ...some };
    case "unsubscribe":
      return {
        cmd: "unsubscribe",
        messageId: packet.packetIdentifier,
        unsubscriptions: packet.topicFilters,
        ...some,
      };
    case "unsuback":
      return {
        cmd: "unsuback",
        messageId: packet.packetIdentifier,
        ...(is5 ? { granted: packet.reasonCodes } : {}),
        ...some,
      };
    case "pingreq":
    case "pingresp":
      return { cmd: packet.type };
    case "disconnect":
      return { cmd: "disconnect", ...(is5 ? { reasonCode: packet.reasonCode } : {}), ...some };
    case "auth":
      return { cmd: "auth", reasonCode: packet.reasonCode, ...some };
  }
}

/** @returns what `mqtt-packet` makes of one packet. @throws what it refuses with. */
function parseThere(bytes: Uint8Array, version: ProtocolVersion): Theirs {
  const parser = mqttPacket.parser({ protocolVersion: version });
  const found: Theirs[] = [];
  parser.on("packet", (packet) => found.push({ ...packet }));
  parser.on("error", (error) => {
    throw error;
  });
  parser.parse(Buffer.from(bytes));
  const [packet] = found;
  assert.ok(packet !== undefined && found.length === 1);
  return packet;
}

/** Only the members `wanted` has: each parsed packet there carries the fixed header's and more. */
function among(packet: Theirs, wanted: Theirs): Theirs {
  return Object.fromEntries(Object.keys(wanted).map((name) => [name, packet[name]]));
}

/** @returns the packet that follows the greeting, or the greeting itself. */
function decodeHere(bytes: Uint8Array, side: Side, version: ProtocolVersion): MqttPacket | undefined {
  if (side === "server") {
    const decoder = new ClientDecoder({ protocolVersion: version, maximumPacketSize: MAXIMUM_PACKET_SIZE });
    if (bytes[0] !== 0x20) {
      decoder.push(encodeConnack({ type: "connack", sessionPresent: false, reasonCode: 0 }, version));
      decoder.next();
    }
    decoder.push(bytes);
    return decoder.next();
  }
  const decoder = new ServerDecoder({ maximumPacketSize: MAXIMUM_PACKET_SIZE });
  if (bytes[0] !== 0x10) {
    const greeting = {
      type: "connect",
      protocolVersion: version,
      cleanStart: true,
      keepAlive: 0,
      clientIdentifier: "c",
    } as const;
    decoder.push(encodeConnect(greeting));
    decoder.next();
  }
  decoder.push(bytes);
  return decoder.next();
}

/** Without what `mqtt-packet` cannot carry (see the header), all else as drawn. */
function comparable(packet: MqttPacket): MqttPacket {
  const plain = (properties: Properties | undefined): Properties | undefined => {
    if (properties?.userProperties === undefined) return properties;
    const byName = new Map(properties.userProperties.map(([name, value]) => [`u${name}`, `${value}!`]));
    return { ...properties, userProperties: [...byName] };
  };
  if (packet.type === "pingreq" || packet.type === "pingresp") return packet;
  const properties = plain(packet.properties);
  const kept = properties === undefined ? packet : { ...packet, properties };
  if (kept.type !== "connect" || kept.will?.properties === undefined) return kept;
  const willProperties = plain(kept.will.properties);
  return willProperties === undefined
    ? kept
    : { ...kept, will: { ...kept.will, properties: willProperties } };
}

/** Integer-like names would come back in another order from an object: the "u" before each prevents it. */
const cases = fc.constantFrom<ProtocolVersion>(4, 5).chain((version) =>
  fc.oneof(
    fc.oneof(connects(version), clientPackets(version)).map((packet) => {
      const compared = comparable(packet) as typeof packet;
      return {
        side: "client" as Side,
        version,
        packet: compared as MqttPacket,
        bytes: encodeClientPacket(compared, version),
      };
    }),
    fc.oneof(connacks(version), serverPackets(version)).map((packet) => {
      const compared = comparable(packet) as typeof packet;
      return {
        side: "server" as Side,
        version,
        packet: compared as MqttPacket,
        bytes: encodeServerPacket(compared, version),
      };
    }),
  ),
);

test("mqtt-packet parses what we encode to the same value", () => {
  fc.assert(
    fc.property(cases, ({ version, packet, bytes }) => {
      const wanted = toTheirs(packet, version);

      const parsed = parseThere(bytes, version);

      assert.deepEqual(among(parsed, wanted), wanted);
    }),
    { numRuns: 1_500 },
  );
});

/** What `mqtt-packet` refuses to generate, though the standard allows it; it parses them (above). */
const notGenerated: readonly (readonly [
  what: string,
  is: (packet: MqttPacket, version: ProtocolVersion) => boolean,
])[] = [
  [
    "an empty Client Identifier with Clean Start 0: a server's question [MQTT-3.1.3-8 of 3.1.1], allowed in 5.0",
    (packet) => packet.type === "connect" && packet.clientIdentifier === "" && !packet.cleanStart,
  ],
  [
    "a Password without a User Name, allowed in 5.0 (§3.1.2.9)",
    (packet) => packet.type === "connect" && packet.password !== undefined && packet.userName === undefined,
  ],
];

test("we decode what mqtt-packet generates to the same value", () => {
  fc.assert(
    fc.property(cases, ({ side, version, packet }) => {
      fc.pre(!notGenerated.some(([, is]) => is(packet, version)));
      const generated = mqttPacket.generate(toTheirs(packet, version) as never, { protocolVersion: version });

      const decoded = decodeHere(generated, side, version);

      assert.deepEqual(decoded, packet);
    }),
    { numRuns: 1_500 },
  );
});

/** Packets that `mqtt-packet` 9.0.2 parses and we refuse, by the clause that wants them refused. */
const laxerThere: readonly (readonly [
  clause: string,
  side: Side,
  version: ProtocolVersion,
  bytes: string,
])[] = [
  ["§3.1.2.2: level 0x84 is no version (a bridge's habit)", "client", 4, "100d00044d5154548402003c000163"],
  ["MQTT 3.1 is not spoken here", "client", 4, "100f00064d51497364700302003c000163"],
  ["MQTT-3.1.2-12: Will QoS 3", "client", 4, "101200044d515454041e003c0001630001740000"],
  ["MQTT-4.7.0-1: wildcard in a Will Topic", "client", 4, "101200044d5154540406003c0001630001230000"],
  ["§3.1.3: bytes after the last field of CONNECT", "client", 4, "100e00044d5154540402003c00016300"],
  ["MQTT-1.5.4-2: U+0000 in a Client Identifier", "client", 4, "100d00044d5154540402003c000100"],
  ["MQTT-1.5.4-1: ill-formed UTF-8 in a Client Identifier", "client", 4, "100d00044d5154540402003c0001ff"],
  [
    "§3.1.2.11.10: Authentication Data without Method",
    "client",
    5,
    "101200044d5154540502003c0416000164000163",
  ],
  [
    "§3.1.2.11.2: Session Expiry Interval twice",
    "client",
    5,
    "101800044d5154540502003c0a11000000011100000001000163",
  ],
  ["§3.1.2.11.3: Receive Maximum 0", "client", 5, "101100044d5154540502003c03210000000163"],
  ["§3.1.2.11.4: Maximum Packet Size 0", "client", 5, "101300044d5154540502003c052700000000000163"],
  ["§3.1.2.11.7: Request Problem Information 2", "client", 5, "101000044d5154540502003c021702000163"],
  ["§2.2.2.2: a property of another packet", "client", 5, "101100044d5154540502003c03230001000163"],
  ["MQTT-3.3.2-2: wildcard in a Topic Name", "client", 4, "30050003612f2b"],
  ["MQTT-4.7.3-1: empty Topic Name", "client", 4, "30020000"],
  ["§3.3.2.1: neither Topic Name nor Topic Alias", "client", 5, "3003000000"],
  ["MQTT-3.3.2-8: Topic Alias 0", "client", 5, "3006000003230000"],
  ["MQTT-3.3.4-6: Subscription Identifier from a client", "client", 5, "3006000174020b01"],
  ["MQTT-3.3.1-2: DUP with QoS 0", "client", 4, "3803000174"],
  ["MQTT-2.3.1-1 (3.1.1): Packet Identifier 0 in PUBLISH", "client", 4, "32050001740000"],
  ["MQTT-1.5.4-1: ill-formed UTF-8 in a Topic Name", "client", 4, "30040002c328"],
  ["MQTT-1.5.4-2: U+0000 in a Topic Name", "client", 4, "3003000100"],
  ["MQTT-2.2.1-3: Packet Identifier 0 in PUBACK", "client", 4, "40020000"],
  ["3.1.1 §3.4.2: PUBACK has two bytes", "client", 4, "4003000100"],
  ["§3.4.2: bytes after PUBACK's properties", "client", 5, "4006000100000000"],
  ["MQTT-3.8.3-3 (3.1.1): SUBSCRIBE of nothing", "client", 4, "82020001"],
  ["MQTT-4.7.3-1: empty Topic Filter", "client", 4, "82050001000000"],
  ["MQTT-3.8.3-4: No Local on a Shared Subscription", "client", 5, "8210000100000a2473686172652f672f6604"],
  ["§3.8.2.1.2: Subscription Identifier 0", "client", 5, "82090001020b0000016600"],
  ["MQTT-3.10.3-2: UNSUBSCRIBE of nothing", "client", 4, "a2020001"],
  ["§3.12: PINGREQ has no body", "client", 4, "c00100"],
  ["3.1.1 §3.14: DISCONNECT has no body", "client", 4, "e00100"],
  ["table 3-10: a server's Reason Code in a client's DISCONNECT", "client", 5, "e0028b00"],
  ["table 3-11: a server's Reason Code in a client's AUTH", "client", 5, "f0020000"],
  ["§3.15.2.2.2: AUTH without Authentication Method", "client", 5, "f0021800"],
  ["MQTT-1.5.5-1: Remaining Length longer than needed", "client", 4, "c08000"],
  ["3.1.1 §3.2.2.3: return code 6 is reserved", "server", 4, "20020006"],
  ["MQTT-3.2.2-4 (3.1.1): Session Present in a refusal", "server", 4, "20020105"],
  ["MQTT-3.2.2-8: a Reason Code CONNACK cannot carry", "server", 5, "2003000400"],
  ["§3.2.2.3.4: Maximum QoS 2", "server", 5, "20050000022402"],
  ["§3.9.3: SUBACK without a return code", "server", 4, "90020001"],
  ["§3.11.3: UNSUBACK without a Reason Code", "server", 5, "b003000100"],
  ["MQTT-3.14.2-2: Session Expiry Interval from a server", "server", 5, "e00700051100000001"],
  ["3.1.1 §3.14: a server sends no DISCONNECT", "server", 4, "e000"],
];
for (const [clause, side, version, hex] of laxerThere) {
  test(`stricter than mqtt-packet: ${clause}`, () => {
    const bytes = Buffer.from(hex, "hex");

    assert.ok(parseThere(bytes, version));
    assert.throws(() => decodeHere(bytes, side, version), { name: "MqttError" });
  });
}
