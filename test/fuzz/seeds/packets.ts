/** Packets to begin with: each type, with and without what is optional, and nothing wrong with any of them. */
import type { ClientPacket, Properties, ProtocolVersion, ServerPacket } from "@mayfly/core/mqtt";
import { encodeClientPacket } from "@mayfly/core/mqtt-client";
import { encodeServerPacket } from "@mayfly/core/mqtt-server";

const clientIdentifier = "projects/p/locations/l/registries/reg/devices/dev";
const publish = { type: "publish", dup: false, qos: 1, retain: false, packetIdentifier: 7 } as const;
const filter = { noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
const payload = Buffer.from("21.5");

/** Connections: CONNECT and something behind it, as one run of bytes. */
export function clientPackets(version: ProtocolVersion): readonly Uint8Array[] {
  const connect = { type: "connect", protocolVersion: version, cleanStart: true, keepAlive: 60 } as const;
  const named: ClientPacket = {
    ...connect,
    clientIdentifier,
    userName: "unused",
    password: Buffer.from("a.b.c"),
  };
  const full: ClientPacket = {
    ...{ ...connect, clientIdentifier, cleanStart: false },
    will: { topic: "/devices/dev/state", payload, qos: 1, retain: false },
    ...properties(version, {
      ...{ sessionExpiryInterval: 60, receiveMaximum: 9, maximumPacketSize: 4_000, topicAliasMaximum: 3 },
      ...{ authenticationMethod: "mayfly-jwt", authenticationData: Buffer.from("a.b.c") },
      userProperties: [["a", "b"]],
    }),
  };
  const whole = (...packets: readonly ClientPacket[]) =>
    Buffer.concat(packets.map((packet) => encodeClientPacket(packet, version)));
  return [
    whole(named),
    whole(full),
    ...sessionPackets(version).map((packets) => whole(named, ...packets)),
    whole(named, ...sessionPackets(version).flat()),
  ];
}

/** What a device sends once it is connected. @param device as its topics name it. */
export function sessionPackets(version: ProtocolVersion, device = "dev"): readonly ClientPacket[][] {
  const topic = `/devices/${device}/events/alarm`;
  const ask = (topicFilter: string, qos: 0 | 1 | 2) => ({ topicFilter, qos, ...filter });
  return [
    [{ ...publish, topic, payload }],
    [{ ...publish, dup: true, topic, payload }],
    [
      {
        ...publish,
        topic,
        payload,
        ...properties(version, { topicAlias: 1, userProperties: [["id", "m1"]] }),
      },
    ],
    [{ type: "publish", dup: false, qos: 0, retain: true, topic: `/devices/${device}/state`, payload }],
    [
      {
        type: "subscribe",
        packetIdentifier: 2,
        subscriptions: [ask(`/devices/${device}/config`, 1), ask(`/devices/${device}/commands/#`, 2)],
      },
    ],
    [{ type: "unsubscribe", packetIdentifier: 3, topicFilters: [`/devices/${device}/config`] }],
    [{ type: "puback", packetIdentifier: 1, reasonCode: 0 }],
    [{ type: "pingreq" }],
    ...(version === 5
      ? [[{ type: "auth", reasonCode: 0x19, properties: { authenticationMethod: "mayfly-jwt" } } as const]]
      : []),
    [{ type: "disconnect", reasonCode: 0 }],
  ];
}

/** What a bridge sends. */
export function serverPackets(version: ProtocolVersion): readonly Uint8Array[] {
  const connack: ServerPacket = {
    ...{ type: "connack", sessionPresent: false, reasonCode: 0 },
    ...properties(version, { receiveMaximum: 20, maximumQoS: 1, userProperties: [["exp", "1"]] }),
  };
  const packets: readonly ServerPacket[] = [
    { ...publish, topic: "/devices/dev/config", payload },
    { type: "puback", packetIdentifier: 7, reasonCode: 0 },
    { type: "suback", packetIdentifier: 2, reasonCodes: [0, 1] },
    { type: "unsuback", packetIdentifier: 3, reasonCodes: version === 5 ? [0] : [] },
    { type: "pingresp" },
    ...(version === 5
      ? ([
          { type: "auth", reasonCode: 0, properties: { authenticationMethod: "mayfly-jwt" } },
          { type: "disconnect", reasonCode: 0x87, properties: { reasonString: "token_expired" } },
        ] as const)
      : []),
  ];
  const whole = (...list: readonly ServerPacket[]) =>
    Buffer.concat(list.map((packet) => encodeServerPacket(packet, version)));
  return [whole(connack), ...packets.map((packet) => whole(connack, packet)), whole(connack, ...packets)];
}

function properties(version: ProtocolVersion, those: Properties): { readonly properties?: Properties } {
  return version === 5 ? { properties: those } : {};
}
