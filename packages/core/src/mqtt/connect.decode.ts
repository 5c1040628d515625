/**
 * Decodes CONNECT (MQTT 5.0 §3.1, 3.1.1 §3.1), in two steps: the protocol level first, so that a server knows
 * in which version to answer when the rest is refused.
 *
 * Left to others: whether an empty Client Identifier is accepted ([MQTT-3.1.3-8] of 3.1.1 wants CONNACK 0x02).
 */

import { MqttError, malformed, protocolError } from "./error.ts";
import { packetType } from "./packet-type.ts";
import type { ConnectPacket, Properties, ProtocolVersion, QoS, Will } from "./packets.ts";
import { decodeProperties } from "./properties.decode.ts";
import { willProperties } from "./property-table.ts";
import { hasWildcard } from "./topic-name.ts";
import type { WireReader } from "./wire-reader.ts";

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Connect Flags (§3.1.2.3). */
const flag = {
  reserved: 0x01,
  cleanStart: 0x02,
  will: 0x04,
  willRetain: 0x20,
  password: 0x40,
  userName: 0x80,
};

/**
 * Reads the Protocol Name and Version.
 *
 * @throws {MqttError} unsupported_protocol_version for anything but "MQTT" with 4 or 5 (MQTT 3.1's "MQIsdp" too).
 */
export function decodeProtocolVersion(reader: WireReader): ProtocolVersion {
  const nameBytes = reader.twoByteInteger();
  const name = reader.view(nameBytes);
  const level = reader.byte();
  if (isMqtt(name) && (level === 4 || level === 5)) return level;
  throw new MqttError("unsupported_protocol_version", "neither MQTT 3.1.1 nor 5.0", { level });
}

/** Reads on where {@link decodeProtocolVersion} stopped. @throws {MqttError} */
export function decodeConnect(reader: WireReader, protocolVersion: ProtocolVersion): ConnectPacket {
  const flags = reader.byte();
  checkFlags(flags);
  const keepAlive = reader.twoByteInteger();
  const properties = protocolVersion === 5 ? decodeProperties(reader, packetType.connect) : undefined;
  if (properties?.authenticationData !== undefined && properties.authenticationMethod === undefined) {
    throw protocolError("Authentication Data without Authentication Method"); // 5.0 §3.1.2.11.10
  }
  const clientIdentifier = reader.utf8String();
  const will = (flags & flag.will) === 0 ? undefined : decodeWill(reader, flags, protocolVersion);
  const userName = (flags & flag.userName) === 0 ? undefined : reader.utf8String();
  const password = (flags & flag.password) === 0 ? undefined : reader.binaryData();
  reader.finish();
  const cleanStart = (flags & flag.cleanStart) !== 0;
  const packet: Writable<ConnectPacket> = {
    type: "connect",
    protocolVersion,
    cleanStart,
    keepAlive,
    clientIdentifier,
  };
  if (userName !== undefined) packet.userName = userName;
  if (password !== undefined) packet.password = password;
  if (will !== undefined) packet.will = will;
  if (properties !== undefined) packet.properties = properties;
  return packet;
}

/** The name is compared as bytes: it is the first thing a stranger sends, and need not become text. */
function isMqtt(name: Uint8Array): boolean {
  return name.length === 4 && name[0] === 0x4d && name[1] === 0x51 && name[2] === 0x54 && name[3] === 0x54;
}

/**
 * A Password without a User Name is taken in 3.1.1 too: MQTT-3.1.2-22 forbids it there, 5.0 dropped the rule, and
 * firmware of Cloud IoT Core, to which the User Name meant nothing, may leave it out.
 */
function checkFlags(flags: number): void {
  if ((flags & flag.reserved) !== 0) throw malformed("the reserved Connect Flag is set"); // MQTT-3.1.2-3
  if ((flags & flag.will) === 0) {
    // MQTT-3.1.2-11 and -13; 3.1.1: MQTT-3.1.2-13 and -15.
    if ((flags & 0x38) !== 0) throw malformed("Will QoS or Will Retain without the Will Flag", { flags });
  } else if ((flags & 0x18) === 0x18) {
    throw malformed("Will QoS 3"); // MQTT-3.1.2-12
  }
}

function decodeWill(reader: WireReader, flags: number, protocolVersion: ProtocolVersion): Will {
  const properties: Properties | undefined =
    protocolVersion === 5 ? decodeProperties(reader, willProperties) : undefined;
  const topic = reader.utf8String();
  if (topic === "" || hasWildcard(topic)) {
    throw new MqttError("topic_name_invalid", "a Will Topic that is empty or has wildcard characters");
  }
  const payload = reader.binaryDataCopy();
  const bits = flags & 0x18;
  const qos: QoS = bits === 0 ? 0 : bits === 0x08 ? 1 : 2;
  const retain = (flags & flag.willRetain) !== 0;
  return properties === undefined
    ? { topic, payload, qos, retain }
    : { topic, payload, qos, retain, properties };
}
