import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { TelemetryMessage } from "../../telemetry/backbone.ts";
import { BlockBuilder, decodeMessage } from "./block.ts";
import { messageIdOf, messageIdPrefix, parseMessageId } from "./message-id.ts";

const registry = { project: "mayfly", location: "europe-west1", registry: "gauges", numId: "11" };
const messages: fc.Arbitrary<TelemetryMessage> = fc
  .record({
    deviceId: fc.stringMatching(/^[a-z][a-z0-9]{2,40}$/),
    deviceNumId: fc.stringMatching(/^[1-9][0-9]{15}$/),
    subfolder: fc.string({ unit: "grapheme", maxLength: 60 }),
    payload: fc.uint8Array({ maxLength: 300 }),
    publishMs: fc.double({ noNaN: true, min: 0, max: 4e12 }),
    deviceMessageId: fc.option(fc.string({ maxLength: 80 }), { nil: undefined }),
    gatewayId: fc.option(fc.stringMatching(/^[a-z]{3,9}$/), { nil: undefined }),
    topic: fc.option(fc.string({ unit: "grapheme", maxLength: 300 }), { nil: undefined }),
    kind: fc.constantFrom(undefined, "state" as const),
  })
  .map(({ deviceMessageId, gatewayId, topic, kind, ...rest }) => ({
    registry,
    ...rest,
    ...(deviceMessageId === undefined ? {} : { deviceMessageId }),
    ...(gatewayId === undefined ? {} : { gatewayId }),
    ...(topic === undefined ? {} : { topic }),
    ...(kind === undefined ? {} : { kind }),
  }));

test("what went into a block comes out of it, each message by its index", () => {
  fc.assert(
    fc.property(fc.array(messages, { minLength: 1, maxLength: 30 }), (all) => {
      const builder = new BlockBuilder(64);
      for (const message of all) assert.equal(builder.add(message), true);
      const expectedLength = builder.length;

      const { buffer, length } = builder.seal();

      assert.equal(length, expectedLength);
      const place = {
        registryKey: "mayfly/europe-west1/gauges/11",
        partition: 3,
        block: 17,
        count: all.length,
      };
      for (const [index, message] of all.entries()) {
        const decoded = decodeMessage(new Uint8Array(buffer, 0, length), place, index);
        assert.deepEqual(decoded, { messageId: `1703${String(index).padStart(4, "0")}`, ...message });
      }
    }),
    { numRuns: 60 },
  );
});

test("a block written before messages had topics reads as it was written", () => {
  // One message of 2026: 1.8e12 ms, device id "fern", numId "2", message id "7", subfolder "air", payload "hi".
  const hex =
    "000000c585317a42" +
    "01" +
    "04010100" +
    "0300" +
    "6665726e" +
    "32" +
    "37" +
    "616972" +
    "6869" +
    "00000000";
  const place = { registryKey: "mayfly/europe-west1/gauges/11", partition: 3, block: 17, count: 1 };

  const decoded = decodeMessage(Buffer.from(hex, "hex"), place, 0);

  assert.deepEqual(decoded, {
    messageId: "17030000",
    registry,
    ...{ deviceId: "fern", deviceNumId: "2", subfolder: "air", deviceMessageId: "7" },
    payload: new Uint8Array(Buffer.from("hi")),
    publishMs: 1_800_000_000_000,
  });
});

test("a text too long for its length field is refused and leaves the block as it was", () => {
  const builder = new BlockBuilder(64);
  const message = {
    registry,
    deviceId: "d".repeat(256),
    deviceNumId: "1",
    subfolder: "",
    payload: new Uint8Array(),
    publishMs: 0,
  };

  assert.equal(builder.add(message), false);
  assert.equal(builder.count, 0);
  assert.equal(builder.length, 0);
});

test("a message id names its place, and anything else is no message id", () => {
  const id = messageIdOf(messageIdPrefix(9_007_199_254, 63), 999);

  assert.deepEqual(parseMessageId(id), { block: 9_007_199_254, partition: 63, index: 999 });
  for (const text of ["", "123456", "12345x7", "-1000000", "1".repeat(22)])
    assert.equal(parseMessageId(text), undefined);
});
