/** Reader and writer against the examples of MQTT 5.0 §1.5 and against each other. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { WireReader } from "./wire-reader.ts";
import { VARIABLE_BYTE_INTEGER_MAX, variableByteIntegerBytes, WireWriter } from "./wire-writer.ts";

function reading(...bytes: number[]): WireReader {
  return new WireReader(Uint8Array.from(bytes), 0, bytes.length);
}

function written(write: (writer: WireWriter) => void): Uint8Array {
  const writer = new WireWriter(0);
  write(writer);
  return Uint8Array.from(writer.body());
}

/** MQTT 5.0 table 1-1. */
const table11: readonly (readonly [value: number, bytes: readonly number[]])[] = [
  [0, [0x00]],
  [127, [0x7f]],
  [128, [0x80, 0x01]],
  [16_383, [0xff, 0x7f]],
  [16_384, [0x80, 0x80, 0x01]],
  [2_097_151, [0xff, 0xff, 0x7f]],
  [2_097_152, [0x80, 0x80, 0x80, 0x01]],
  [268_435_455, [0xff, 0xff, 0xff, 0x7f]],
];
for (const [value, bytes] of table11) {
  test(`Variable Byte Integer ${value} has the bytes of table 1-1`, () => {
    assert.deepEqual(
      written((writer) => writer.variableByteInteger(value)),
      Uint8Array.from(bytes),
    );
    assert.equal(reading(...bytes).variableByteInteger(), value);
    assert.equal(variableByteIntegerBytes(value), bytes.length);
  });
}

for (const bytes of [
  [0x80, 0x00],
  [0xff, 0x80, 0x00],
  [0x80, 0x80, 0x80, 0x00],
]) {
  test(`a Variable Byte Integer of ${bytes.length} bytes that needs fewer is refused [MQTT-1.5.5-1]`, () => {
    assert.throws(() => reading(...bytes).variableByteInteger(), { code: "malformed_packet" });
  });
}

test("a Variable Byte Integer has no fifth byte", () => {
  assert.throws(() => reading(0xff, 0xff, 0xff, 0xff, 0x01).variableByteInteger(), {
    code: "malformed_packet",
  });
});

test("all integers of each width are read as they were written", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 0xff }),
      fc.integer({ min: 0, max: 0xffff }),
      fc.integer({ min: 0, max: 0xffffffff }),
      fc.integer({ min: 0, max: VARIABLE_BYTE_INTEGER_MAX }),
      (one, two, four, variable) => {
        const bytes = written((writer) => {
          writer.byte(one);
          writer.twoByteInteger(two);
          writer.fourByteInteger(four);
          writer.variableByteInteger(variable);
        });

        const reader = reading(...bytes);

        assert.deepEqual(
          [reader.byte(), reader.twoByteInteger(), reader.fourByteInteger(), reader.variableByteInteger()],
          [one, two, four, variable],
        );
        reader.finish();
      },
    ),
  );
});

test("numbers that do not fit their field are not encodable", () => {
  for (const value of [-1, 0.5, Number.NaN, 0x1_0000_0000]) {
    assert.throws(() => new WireWriter(0).byte(value), { code: "not_encodable" });
    assert.throws(() => new WireWriter(0).twoByteInteger(value), { code: "not_encodable" });
    assert.throws(() => new WireWriter(0).fourByteInteger(value), { code: "not_encodable" });
    assert.throws(() => new WireWriter(0).variableByteInteger(value), { code: "not_encodable" });
  }
  assert.throws(() => new WireWriter(0).variableByteInteger(VARIABLE_BYTE_INTEGER_MAX + 1), {
    code: "not_encodable",
  });
});

test("Binary Data of 65,535 bytes is encoded and of 65,536 is not", () => {
  const writer = new WireWriter(0);
  writer.binaryData(new Uint8Array(65_535));

  assert.equal(writer.body().length, 65_537);
  assert.throws(() => writer.binaryData(new Uint8Array(65_536)), { code: "not_encodable" });
});

test("the fixed header stands right before the body for each size of the Remaining Length", () => {
  for (const size of [0, 127, 128, 16_383, 16_384, 2_097_152]) {
    const writer = new WireWriter(0);
    writer.raw(new Uint8Array(size).fill(7));

    const packet = writer.finish(0x30);

    const header = 1 + variableByteIntegerBytes(size);
    assert.equal(packet[0], 0x30);
    assert.equal(new WireReader(packet, 1, packet.length).variableByteInteger(), size);
    assert.equal(packet.length, header + size);
    assert.ok(packet.subarray(header).every((byte) => byte === 7));
  }
});

test("a field that reaches past the end of its packet is refused, though bytes follow there", () => {
  const bytes = Uint8Array.of(0x00, 0x03, 0x61, 0x62, 0x63);

  for (const read of [
    (reader: WireReader) => reader.utf8String(),
    (reader: WireReader) => reader.binaryData(),
    (reader: WireReader) => reader.utf8StringLike("abc"),
  ]) {
    assert.throws(() => read(new WireReader(bytes, 0, 4)), { code: "malformed_packet" });
  }
});

test("Packet Identifier 0 is refused both ways [MQTT-2.2.1-3]", () => {
  assert.throws(() => reading(0, 0).packetIdentifier(), { code: "malformed_packet" });
  assert.throws(() => new WireWriter(0).packetIdentifier(0), { code: "not_encodable" });
});
