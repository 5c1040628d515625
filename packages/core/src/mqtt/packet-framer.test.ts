import assert from "node:assert/strict";
import { test } from "node:test";
import { BACKLOG_BYTES_MAX, PacketFramer } from "./packet-framer.ts";

const anyType = 0xfffe;

function framing(maximumPacketSize: number, ...chunks: number[][]): PacketFramer {
  const framer = new PacketFramer(maximumPacketSize);
  for (const chunk of chunks) {
    framer.push(Uint8Array.from(chunk));
    framer.advance(anyType);
  }
  return framer;
}

test("a packet of the maximum size is taken and one a byte over is refused by its fixed header alone", () => {
  const taken = new PacketFramer(202);
  taken.push(Uint8Array.of(0x30, 0xc7, 0x01, ...new Array<number>(199).fill(0)));
  assert.ok(taken.advance(anyType) !== undefined);

  const refused = new PacketFramer(202);
  refused.push(Uint8Array.of(0x30, 0xc8, 0x01));

  assert.throws(() => refused.advance(anyType), { code: "packet_too_large", reasonCode: 0x95 });
});

test("the size is refused before the body is kept, also when the fixed header comes byte by byte", () => {
  const framer = framing(1_000, [0x30], [0xff]);

  framer.push(Uint8Array.of(0x7f));

  assert.throws(() => framer.advance(anyType), { code: "packet_too_large" });
});

test("a promise of much keeps no more than what arrived", () => {
  const framer = framing(268_435_460, [0x30, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3]);

  assert.equal(framer.bufferedBytes, 8);
});

test("a first byte that may not come is refused while it is alone", () => {
  const cases: readonly (readonly [firstByte: number, code: string])[] = [
    [0x00, "malformed_packet"], // reserved type
    [0x0f, "malformed_packet"],
    [0x36, "malformed_packet"], // QoS 3, MQTT-3.3.1-4
    [0x38, "malformed_packet"], // DUP with QoS 0, MQTT-3.3.1-2
    [0x11, "malformed_packet"], // CONNECT with a flag
    [0x60, "malformed_packet"], // PUBREL without its flag, MQTT-3.6.1-1
    [0x63, "malformed_packet"],
    [0x80, "malformed_packet"], // SUBSCRIBE without its flag, MQTT-3.8.1-1
    [0xa0, "malformed_packet"], // UNSUBSCRIBE without its flag, MQTT-3.10.1-1
    [0xc1, "malformed_packet"],
    [0xf8, "malformed_packet"],
  ];
  for (const [firstByte, code] of cases) {
    const framer = new PacketFramer(1_000);
    framer.push(Uint8Array.of(firstByte));

    assert.throws(() => framer.advance(anyType), { code }, `0x${firstByte.toString(16)}`);
  }
});

test("a type outside the accepted set is a protocol error", () => {
  const framer = new PacketFramer(1_000);
  framer.push(Uint8Array.of(0x20));

  assert.throws(() => framer.advance(1 << 1), { code: "protocol_error" });
});

test("a Remaining Length of five bytes, or longer than needed, is refused", () => {
  for (const bytes of [
    [0x30, 0xff, 0xff, 0xff, 0xff],
    [0x30, 0x80, 0x00],
    [0x30, 0xff, 0x80, 0x00],
  ]) {
    const framer = new PacketFramer(268_435_460);
    framer.push(Uint8Array.from(bytes));

    assert.throws(() => framer.advance(anyType), { code: "malformed_packet" });
  }
});

test("chunks pushed before the last was read are joined, up to the bound", () => {
  const framer = new PacketFramer(100);
  const chunk = new Uint8Array(10_000);
  for (let at = 0; at < chunk.length; at += 2) chunk[at] = 0xc0; // PINGREQ
  let pushed = 0;
  while (pushed + chunk.length <= 100 + BACKLOG_BYTES_MAX) {
    framer.push(chunk);
    pushed += chunk.length;
  }
  assert.equal(framer.bufferedBytes, pushed);

  assert.throws(() => framer.push(chunk), { code: "backlog_exceeded", reasonCode: 0x97 });

  let packets = 0;
  while (framer.advance(anyType) !== undefined) packets += 1;
  assert.equal(packets, pushed / 2);
  assert.equal(framer.bufferedBytes, 0);
});

test("a packet is read where it arrived, without a copy", () => {
  const chunk = Uint8Array.of(0x30, 0x02, 0xaa, 0xbb);
  const framer = new PacketFramer(100);
  framer.push(chunk);

  const reader = framer.advance(anyType);

  assert.equal(reader?.bytes.buffer, chunk.buffer);
  assert.equal(reader?.position, 2);
});

test("the rest of a chunk is copied when it is only a part of a packet", () => {
  const chunk = Uint8Array.of(0x30, 0x03, 0xaa);
  const framer = new PacketFramer(100);
  framer.push(chunk);
  framer.advance(anyType);
  chunk.fill(0);
  framer.push(Uint8Array.of(0xbb, 0xcc));

  const reader = framer.advance(anyType);

  assert.deepEqual(reader?.view(3), Uint8Array.of(0xaa, 0xbb, 0xcc));
});

test("an empty chunk changes nothing", () => {
  const framer = framing(100, [0xc0], []);

  framer.push(Uint8Array.of(0x00));

  assert.ok(framer.advance(anyType) !== undefined);
  assert.equal(framer.advance(anyType), undefined);
});
