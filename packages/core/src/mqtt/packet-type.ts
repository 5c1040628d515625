/**
 * Fixed header, first byte (MQTT 5.0 §2.1): the packet types and the flags each must carry.
 */

import { type MqttError, malformed, protocolError } from "./error.ts";

/** MQTT 5.0 table 2-1. */
export const packetType = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  suback: 9,
  unsubscribe: 10,
  unsuback: 11,
  pingreq: 12,
  pingresp: 13,
  disconnect: 14,
  auth: 15,
} as const;

/** A set of packet types as bits, `1 << type`. */
export type PacketTypeSet = number;

const { publish, pubrel, subscribe, unsubscribe } = packetType;
/** MQTT 5.0 table 2-2: these three carry the reserved flags 0010, PUBLISH its own, all others 0000. */
const flagsTwo: PacketTypeSet = (1 << pubrel) | (1 << subscribe) | (1 << unsubscribe);

/** Why this first byte cannot be accepted now, or undefined: the whole check of a fixed header's first byte. */
export function findFirstByteError(firstByte: number, accepted: PacketTypeSet): MqttError | undefined {
  const type = firstByte >> 4;
  const flags = firstByte & 0x0f;
  if (((accepted >> type) & 1) === 0) {
    return type === 0
      ? malformed("packet type 0 is reserved", { firstByte })
      : protocolError("a packet of this type is not expected here", { packetType: type });
  }
  if (type !== publish) {
    const wanted = ((flagsTwo >> type) & 1) << 1;
    return flags === wanted
      ? undefined
      : malformed("reserved flags of the fixed header are wrong", { packetType: type, flags });
  }
  if ((flags & 0b0110) === 0b0110) return malformed("PUBLISH with both QoS bits set", { flags }); // MQTT-3.3.1-4
  if ((flags & 0b1110) === 0b1000) return malformed("PUBLISH with DUP and QoS 0", { flags }); // MQTT-3.3.1-2
  return undefined;
}
