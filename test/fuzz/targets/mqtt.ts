/**
 * The MQTT decoders of both ends. The first byte of an input says which: what a client sends, or what a server sends
 * to a client of 3.1.1 or of 5.0, and into which pieces it is cut. All else is the wire.
 *
 * Promised: nothing is thrown but an MqttError; how the bytes were cut changes nothing; what was decoded can be
 * encoded, and is decoded from that as the same packet.
 */
import type { ClientPacket, ProtocolVersion, ServerPacket } from "@mayfly/core/mqtt";
import { MqttError } from "@mayfly/core/mqtt";
import { ClientDecoder, encodeClientPacket } from "@mayfly/core/mqtt-client";
import { encodeServerPacket, ServerDecoder } from "@mayfly/core/mqtt-server";
import { clientPackets, serverPackets } from "../seeds/packets.ts";
import { bytesOf, type FuzzTarget, promise } from "../target.ts";

const maximumPacketSize = 8_192;

type Packet = ClientPacket | ServerPacket;
interface Decoder {
  readonly bufferedBytes: number;
  push(chunk: Uint8Array): void;
  next(): Packet | undefined;
}
interface Reading {
  readonly packets: readonly Packet[];
  readonly error: string | undefined;
}

export async function openMqttTarget(): Promise<FuzzTarget> {
  return {
    name: "mqtt",
    seeds: [
      ...([4, 5] as const).flatMap((version) => clientPackets(version).map((bytes) => headed(0, bytes))),
      ...serverPackets(4).map((bytes) => headed(1, bytes)),
      ...serverPackets(5).map((bytes) => headed(2, bytes)),
    ],
    dictionary: [
      "\x00\x04MQTT\x04",
      "\x00\x04MQTT\x05",
      "\x00\x06MQIsdp\x03",
      "\xff\xff\xff\x7f",
      "\x80\x80\x80\x80\x01",
      "\x00\x00",
      "\xed\xa0\x80",
      "\xc0\x80",
      "\x26\x00\x01a\x00\x01b",
      "\x23\x00\x01",
      "\x15\x00\x0amayfly-jwt",
      "#",
      "+",
    ].map(bytesOf),
    run(input) {
      const [kind = 0, ...rest] = input;
      const wire = new Uint8Array(rest);
      const version: ProtocolVersion = kind % 3 === 1 ? 4 : 5;
      const open = (): Decoder =>
        kind % 3 === 0
          ? new ServerDecoder({ maximumPacketSize })
          : new ClientDecoder({ protocolVersion: version, maximumPacketSize });

      const whole = read(open(), [wire]);
      for (const pieceBytes of [1, 2 + (kind >> 3)]) {
        promise(
          same(whole, read(open(), cut(wire, pieceBytes))),
          "how the bytes were cut changes what is read",
        );
      }
      for (const [index, packet] of whole.packets.entries()) {
        checkAgain(packet, whole.packets[0], kind % 3 === 0, version, index);
      }
    },
    async close() {},
  };
}

function cut(bytes: Uint8Array, pieceBytes: number): readonly Uint8Array[] {
  const pieces = Math.ceil(bytes.length / pieceBytes);
  return Array.from({ length: pieces }, (_, n) => bytes.slice(n * pieceBytes, (n + 1) * pieceBytes));
}

const headed = (first: number, bytes: Uint8Array) => Buffer.concat([new Uint8Array([first]), bytes]);

function read(decoder: Decoder, chunks: readonly Uint8Array[]): Reading {
  const packets: Packet[] = [];
  try {
    for (const chunk of chunks) {
      decoder.push(chunk);
      for (let next = decoder.next(); next !== undefined; next = decoder.next()) {
        packets.push(structuredClone(next));
      }
      promise(decoder.bufferedBytes < maximumPacketSize, "more than a packet is kept");
    }
  } catch (error) {
    if (!(error instanceof MqttError)) throw error;
    return { packets, error: error.code };
  }
  return { packets, error: undefined };
}

function checkAgain(
  packet: Packet,
  first: Packet | undefined,
  isClients: boolean,
  version: ProtocolVersion,
  index: number,
): void {
  let again: Reading;
  if (isClients) {
    if (first?.type !== "connect") return;
    const spoken = first.protocolVersion;
    const bytes = encodeClientPacket(packet as ClientPacket, spoken);
    const before = index === 0 ? [] : [encodeClientPacket(first, spoken)];
    again = read(new ServerDecoder({ maximumPacketSize: maximumPacketSize * 2 }), [...before, bytes]);
  } else {
    const bytes = encodeServerPacket(packet as ServerPacket, version);
    const needsConnack = packet.type !== "connack" && packet.type !== "auth";
    const connack = encodeServerPacket({ type: "connack", sessionPresent: false, reasonCode: 0 }, version);
    const decoder = new ClientDecoder({
      protocolVersion: version,
      maximumPacketSize: maximumPacketSize * 2,
    });
    again = read(decoder, needsConnack ? [connack, bytes] : [bytes]);
  }
  promise(again.error === undefined, `a ${packet.type} that was read is refused when written again`);
  promise(same(again.packets.at(-1), packet), `a ${packet.type} is another after it was written again`);
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one, plain) === JSON.stringify(other, plain);
}

/** Bytes as text, and members in one order. */
function plain(_name: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
