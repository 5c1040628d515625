/**
 * The codec against `mqtt-packet`, in one run: `node packages/core/bench/codec.bench.ts [--json]`.
 *
 * Rounds of both sides alternate, so that a noisy machine hits both; a figure is the median of its rounds, in
 * packets per second of CPU time of this process. Ours runs with all its checks. Chunks hold many packets, as
 * under load. A device keeps to its Topic Names, so one connection repeats one; a row with 64 in turn shows
 * what that is worth. What was missed is printed first.
 */

import assert from "node:assert/strict";
import mqttPacket from "mqtt-packet";
import { encodeConnect, encodePublish } from "../src/mqtt/client.ts";
import type { ConnectPacket, ProtocolVersion, PublishPacket } from "../src/mqtt/packets.ts";
import { encodePuback, ServerDecoder } from "../src/mqtt/server.ts";

const ROUNDS = 7;
const ROUND_MILLIS = 120;
const GOAL_RATIO = 4;
const GOAL_PUBLISHES_PER_SECOND = 3_000_000;
const CHUNK_BYTES = 65_536;
const SEGMENT_BYTES = 1_460;
const MAXIMUM_PACKET_SIZE = 262_144;

/** Handles some packets and says how many. */
type Turn = () => number;

interface Contest {
  readonly name: string;
  readonly mayfly: Turn;
  readonly mqttPacket: Turn;
  readonly goalRatio?: number;
  readonly goalRate?: number;
}

interface Result {
  readonly name: string;
  readonly mayflyPerSecond: number;
  readonly mqttPacketPerSecond: number;
  readonly ratio: number;
  readonly goal: string;
  readonly isMet: boolean | undefined;
}

const token = new Uint8Array(300).fill(0x61);
const payload = new Uint8Array(200).map((_, index) => index);
const connect4: ConnectPacket = {
  type: "connect",
  protocolVersion: 4,
  cleanStart: true,
  keepAlive: 60,
  clientIdentifier: "projects/p/locations/l/registries/r/devices/sensor-0001",
  userName: "unused",
  password: token,
};
const connect5: ConnectPacket = {
  type: "connect",
  protocolVersion: 5,
  cleanStart: true,
  keepAlive: 60,
  clientIdentifier: connect4.clientIdentifier,
  properties: {
    sessionExpiryInterval: 3600,
    authenticationMethod: "mayfly-jwt",
    authenticationData: token,
    receiveMaximum: 20,
  },
};

/** @param topics how many Topic Names take turns. */
function publish(index: number, topics: number): PublishPacket {
  return {
    type: "publish",
    dup: false,
    qos: 1,
    retain: false,
    topic: `/devices/sensor-${String(index % topics).padStart(4, "0")}/events/temperature`,
    packetIdentifier: (index % 65_535) + 1,
    payload,
  };
}

/** As many whole packets as fit. */
function fill(bytesMax: number, packet: (index: number) => Uint8Array): { bytes: Buffer; packets: number } {
  const parts: Uint8Array[] = [];
  let size = 0;
  for (let index = 0; ; index += 1) {
    const part = packet(index);
    if (size + part.length > bytesMax) break;
    parts.push(part);
    size += part.length;
  }
  return { bytes: Buffer.concat(parts), packets: parts.length };
}

function cut(bytes: Buffer, pieceBytes: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) pieces.push(bytes.subarray(at, at + pieceBytes));
  return pieces;
}

/** A decoder and a parser that have seen a CONNECT, fed the same chunks. */
function parsing(
  name: string,
  version: ProtocolVersion,
  stream: { bytes: Buffer; packets: number },
  pieceBytes: number,
  goals: Pick<Contest, "goalRatio" | "goalRate">,
): Contest {
  const connect = encodeConnect(version === 4 ? connect4 : connect5);
  const pieces = cut(stream.bytes, pieceBytes);
  const decoder = new ServerDecoder({ maximumPacketSize: MAXIMUM_PACKET_SIZE });
  decoder.push(connect);
  decoder.next();
  let theirs = 0;
  const parser = mqttPacket.parser({ protocolVersion: version });
  parser.on("packet", () => {
    theirs += 1;
  });
  parser.parse(Buffer.from(connect));
  return {
    name,
    ...goals,
    mayfly: () => {
      let packets = 0;
      for (const piece of pieces) {
        decoder.push(piece);
        while (decoder.next() !== undefined) packets += 1;
      }
      assert.equal(packets, stream.packets);
      return packets;
    },
    mqttPacket: () => {
      theirs = 0;
      for (const piece of pieces) parser.parse(piece);
      assert.equal(theirs, stream.packets);
      return theirs;
    },
  };
}

/** A CONNECT each with a decoder of its own, as connections are. */
function connecting(name: string, packet: ConnectPacket, goals: Pick<Contest, "goalRatio">): Contest {
  const bytes = Buffer.from(encodeConnect(packet));
  return {
    name,
    ...goals,
    mayfly: () => {
      for (let index = 0; index < 100; index += 1) {
        const decoder = new ServerDecoder({ maximumPacketSize: MAXIMUM_PACKET_SIZE });
        decoder.push(bytes);
        assert.ok(decoder.next() !== undefined);
      }
      return 100;
    },
    mqttPacket: () => {
      let packets = 0;
      for (let index = 0; index < 100; index += 1) {
        const parser = mqttPacket.parser({ protocolVersion: packet.protocolVersion });
        parser.on("packet", () => {
          packets += 1;
        });
        parser.parse(bytes);
      }
      assert.equal(packets, 100);
      return packets;
    },
  };
}

function contests(): Contest[] {
  const goal = { goalRatio: GOAL_RATIO };
  const publishes = fill(CHUNK_BYTES, (index) => encodePublish(publish(index, 1), 4));
  const varied = fill(CHUNK_BYTES, (index) => encodePublish(publish(index, 64), 4));
  const publishes5 = fill(CHUNK_BYTES, (index) => encodePublish(publish(index, 1), 5));
  const pubacks = fill(CHUNK_BYTES, (index) => encodePuback((index % 65_535) + 1));
  const ours = Array.from({ length: 64 }, (_, index) => publish(index, 64));
  const theirs = ours.map(({ packetIdentifier = 0, topic, dup, qos, retain }) => ({
    cmd: "publish" as const,
    messageId: packetIdentifier,
    topic,
    dup,
    qos,
    retain,
    payload: Buffer.from(payload),
  }));
  return [
    parsing("parse PUBLISH 200 B QoS 1, 3.1.1", 4, publishes, CHUNK_BYTES, {
      goalRatio: GOAL_RATIO,
      goalRate: GOAL_PUBLISHES_PER_SECOND,
    }),
    parsing("parse PUBLISH 200 B QoS 1, 5.0", 5, publishes5, CHUNK_BYTES, {
      goalRatio: GOAL_RATIO,
      goalRate: GOAL_PUBLISHES_PER_SECOND,
    }),
    parsing("parse PUBLISH 200 B, 64 Topic Names", 4, varied, CHUNK_BYTES, goal),
    connecting("parse CONNECT with token, 3.1.1", connect4, goal),
    connecting("parse CONNECT with token, 5.0", connect5, goal),
    parsing("parse PUBACK", 4, pubacks, CHUNK_BYTES, goal),
    parsing("parse PUBLISH 200 B, 1,460-byte chunks", 4, publishes, SEGMENT_BYTES, {}),
    {
      name: "encode PUBLISH 200 B QoS 1",
      mayfly: () => ours.reduce((count, packet) => count + Math.min(1, encodePublish(packet, 4).length), 0),
      mqttPacket: () =>
        theirs.reduce((count, packet) => count + Math.min(1, mqttPacket.generate(packet).length), 0),
    },
    {
      name: "encode PUBACK",
      mayfly: () => {
        for (let identifier = 1; identifier <= 100; identifier += 1) encodePuback(identifier);
        return 100;
      },
      mqttPacket: () => {
        for (let messageId = 1; messageId <= 100; messageId += 1)
          mqttPacket.generate({ cmd: "puback", messageId });
        return 100;
      },
    },
  ];
}

function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** @returns packets per second of CPU time. */
function round(turn: Turn): number {
  let packets = 0;
  const start = cpuMicros();
  let micros = 0;
  do {
    for (let repeat = 0; repeat < 20; repeat += 1) packets += turn();
    micros = cpuMicros() - start;
  } while (micros < ROUND_MILLIS * 1_000);
  return (packets * 1_000_000) / micros;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

function run(contest: Contest): Result {
  round(contest.mayfly);
  round(contest.mqttPacket);
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let index = 0; index < ROUNDS; index += 1) {
    ours.push(round(contest.mayfly));
    theirs.push(round(contest.mqttPacket));
  }
  const mayflyPerSecond = Math.round(median(ours));
  const mqttPacketPerSecond = Math.round(median(theirs));
  const ratio = mayflyPerSecond / mqttPacketPerSecond;
  const { goalRatio, goalRate } = contest;
  const goals = [
    ...(goalRatio === undefined ? [] : [`≥ ${goalRatio} ×`]),
    ...(goalRate === undefined ? [] : [`≥ ${count(goalRate)}/s`]),
  ];
  const isMet =
    goals.length === 0 ? undefined : ratio >= (goalRatio ?? 0) && mayflyPerSecond >= (goalRate ?? 0);
  return { name: contest.name, mayflyPerSecond, mqttPacketPerSecond, ratio, goal: goals.join(", "), isMet };
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}

const results = contests().map(run);
const missedFirst = [...results].sort((a, b) => Number(a.isMet !== false) - Number(b.isMet !== false));
if (process.argv.includes("--json")) {
  console.log(
    JSON.stringify(
      { node: process.version, rounds: ROUNDS, unit: "packets per CPU second", results: missedFirst },
      undefined,
      2,
    ),
  );
} else {
  console.log(`packets per CPU second, medians of ${ROUNDS} alternating rounds, Node ${process.version}`);
  for (const { name, mayflyPerSecond, mqttPacketPerSecond, ratio, goal, isMet } of missedFirst) {
    const verdict = isMet === undefined ? "no goal" : `${isMet ? "met" : "MISSED"} (${goal})`;
    console.log(
      `${name.padEnd(40)} mayfly ${count(mayflyPerSecond).padStart(11)}  mqtt-packet ${count(mqttPacketPerSecond).padStart(10)}  ${ratio.toFixed(1).padStart(5)} ×  ${verdict}`,
    );
  }
}
