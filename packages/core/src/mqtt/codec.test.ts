/**
 * The codec as a whole: what is encoded decodes to the same value in any chunking, and no other bytes do
 * anything but decode or throw an MqttError, within the bound.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { clientPackets, connacks, connects, serverPackets } from "../../test/mqtt/arbitrary-packets.ts";
import { ClientDecoder } from "./client-decoder.ts";
import { encodeClientPacket } from "./client-packet.encode.ts";
import { MqttError } from "./error.ts";
import type { ClientPacket, MqttPacket, ProtocolVersion, ServerPacket } from "./packets.ts";
import { ServerDecoder } from "./server-decoder.ts";
import { encodeServerPacket } from "./server-packet.encode.ts";

const MAXIMUM_PACKET_SIZE = 4_096;
const versions = fc.constantFrom<ProtocolVersion>(4, 5);

interface Decoder {
  push(chunk: Uint8Array): void;
  next(): MqttPacket | undefined;
  readonly bufferedBytes: number;
}

interface Conversation {
  readonly side: "client" | "server";
  readonly version: ProtocolVersion;
  readonly packets: readonly MqttPacket[];
  readonly encoded: readonly Uint8Array[];
}

const fromClient: fc.Arbitrary<Conversation> = versions.chain((version) =>
  fc.tuple(connects(version), fc.array(clientPackets(version), { maxLength: 5 })).map(([first, rest]) => {
    const packets: ClientPacket[] = [first, ...rest];
    return {
      side: "client",
      version,
      packets,
      encoded: packets.map((packet) => encodeClientPacket(packet, version)),
    };
  }),
);
const fromServer: fc.Arbitrary<Conversation> = versions.chain((version) =>
  fc.tuple(connacks(version), fc.array(serverPackets(version), { maxLength: 5 })).map(([first, rest]) => {
    const packets: ServerPacket[] = [first, ...rest];
    return {
      side: "server",
      version,
      packets,
      encoded: packets.map((packet) => encodeServerPacket(packet, version)),
    };
  }),
);
const conversations = fc.oneof(fromClient, fromServer);

function decoderFor({ side, version }: Conversation): Decoder {
  return side === "client"
    ? new ServerDecoder({ maximumPacketSize: MAXIMUM_PACKET_SIZE })
    : new ClientDecoder({ protocolVersion: version, maximumPacketSize: MAXIMUM_PACKET_SIZE });
}

/** Pushes pieces of the given sizes in turn; whatever a piece ends with, no more than the bound is kept. */
function decodeInPieces(decoder: Decoder, stream: Uint8Array, sizes: readonly number[]): MqttPacket[] {
  const packets: MqttPacket[] = [];
  let at = 0;
  for (let turn = 0; at < stream.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    decoder.push(stream.slice(at, at + size));
    at += size;
    for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) packets.push(packet);
    assert.ok(decoder.bufferedBytes < MAXIMUM_PACKET_SIZE);
  }
  return packets;
}

/** @returns the error that ended it, if one did. Anything but an MqttError goes through to the test. */
function findRefusal(decoder: Decoder, stream: Uint8Array): MqttError | undefined {
  try {
    decodeInPieces(decoder, stream, [stream.length]);
    return undefined;
  } catch (error) {
    if (error instanceof MqttError) return error;
    throw error;
  }
}

test("every packet of both versions decodes to what was encoded, however the stream is cut", () => {
  const pieces = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(conversations, pieces, (conversation, sizes) => {
      const stream = Buffer.concat(conversation.encoded);

      const packets = decodeInPieces(decoderFor(conversation), stream, sizes);

      assert.deepEqual(packets, conversation.packets);
    }),
    { numRuns: 1_500 },
  );
});

test("a stream cut short yields its whole packets, then waits with no more than the rest in hand", () => {
  fc.assert(
    fc.property(conversations, fc.nat(), (conversation, seed) => {
      const stream = Buffer.concat(conversation.encoded);
      const kept = seed % stream.length;
      const decoder = decoderFor(conversation);

      const packets = decodeInPieces(decoder, stream.subarray(0, kept), [Math.max(kept, 1)]);

      const whole = packets.reduce((sum, _, index) => sum + (conversation.encoded[index]?.length ?? 0), 0);
      assert.deepEqual(packets, conversation.packets.slice(0, packets.length));
      assert.equal(decoder.bufferedBytes, kept - whole);
    }),
    { numRuns: 500 },
  );
});

test("a packet truncated within, its Remaining Length put right, decodes or is an MqttError", () => {
  fc.assert(
    fc.property(conversations, (conversation) => {
      const encoded = conversation.encoded.at(-1) ?? new Uint8Array(0);
      const before = Buffer.concat(conversation.encoded.slice(0, -1));
      const body = encoded.subarray(encoded.length > 129 ? 3 : 2);
      for (let length = 0; length < Math.min(body.length, 127); length += 1) {
        const stream = Buffer.concat([
          before,
          Buffer.from([encoded[0] ?? 0, length]),
          body.subarray(0, length),
        ]);

        const refusal = findRefusal(decoderFor(conversation), stream);

        assert.ok(refusal === undefined || refusal.reasonCode >= 0x80);
      }
    }),
    { numRuns: 150 },
  );
});

test("with any one bit flipped a stream decodes or ends in an MqttError", () => {
  fc.assert(
    fc.property(conversations, (conversation) => {
      const stream = Buffer.concat(conversation.encoded);
      for (let bit = 0; bit < Math.min(stream.length, 160) * 8; bit += 1) {
        const flipped = Buffer.from(stream);
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));

        const refusal = findRefusal(decoderFor(conversation), flipped);

        assert.ok(refusal === undefined || refusal.reasonCode >= 0x80);
      }
    }),
    { numRuns: 60 },
  );
});

test("whatever a stranger sends decodes or ends in an MqttError, and keeps to the bound", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), connects(5), (noise, connect) => {
      const decoder = new ServerDecoder({ maximumPacketSize: MAXIMUM_PACKET_SIZE });
      const greeted = new ServerDecoder({ maximumPacketSize: MAXIMUM_PACKET_SIZE });
      greeted.push(encodeClientPacket(connect, 5));
      greeted.next();

      for (const each of [decoder, greeted]) findRefusal(each, noise);

      assert.ok(decoder.bufferedBytes <= noise.length);
    }),
    { numRuns: 1_000 },
  );
});

test("after an error a decoder keeps nothing, takes nothing, and throws the same error again", () => {
  const decoder = new ServerDecoder({ maximumPacketSize: MAXIMUM_PACKET_SIZE });
  const first = findRefusal(decoder, Uint8Array.of(0x00, 0x00, 0xff, 0xff));

  const second = findRefusal(decoder, new Uint8Array(1_000));

  assert.ok(first !== undefined);
  assert.equal(second, first);
  assert.equal(decoder.bufferedBytes, 0);
});

test("what a decoded packet hands out survives the received bytes, but for the views it says", () => {
  const connect: ClientPacket = {
    type: "connect",
    protocolVersion: 5,
    cleanStart: true,
    keepAlive: 0,
    clientIdentifier: "c",
    will: {
      topic: "t",
      payload: Uint8Array.of(1, 2),
      qos: 0,
      retain: false,
      properties: { correlationData: Uint8Array.of(3) },
    },
  };
  const stream = encodeClientPacket(connect, 5);
  const decoder = new ServerDecoder({ maximumPacketSize: MAXIMUM_PACKET_SIZE });
  decoder.push(stream);

  const packet = decoder.next();
  stream.fill(0xff);

  assert.deepEqual(packet, connect);
});
