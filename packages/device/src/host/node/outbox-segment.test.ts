import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodeSegment,
  encodeFrame,
  type FrameBody,
  messageFrameBytes,
  settledFrameBytes,
} from "./outbox-segment.ts";

const message = (...bytes: number[]): FrameBody => ({ kind: "message", record: Buffer.from(bytes) });
const settled = (...sequences: number[]): FrameBody => ({ kind: "settled", sequences });
const bodies: readonly FrameBody[] = [
  message(1),
  settled(0, 2 ** 40),
  message(2, 2, 2, 2, 2, 2, 2, 2, 2),
  message(3),
];

/** A file of these frames and zeros behind, and where each frame begins. */
function segmentOf(all: readonly FrameBody[], number = 7, zeros = 64): { file: Buffer; begins: number[] } {
  const file = Buffer.alloc(
    zeros +
      all.reduce(
        (sum, body) =>
          sum +
          (body.kind === "message"
            ? messageFrameBytes(body.record.length)
            : settledFrameBytes(body.sequences.length)),
        0,
      ),
  );
  const begins: number[] = [];
  let at = 0;
  for (const body of all) {
    begins.push(at);
    at = encodeFrame(file, at, number, body);
  }
  assert.equal(at, file.length - zeros);
  return { file, begins };
}

test("frames come out as they went in, and zeros behind them are no damage", () => {
  const body: fc.Arbitrary<FrameBody> = fc.oneof(
    fc.uint8Array({ maxLength: 50 }).map((bytes) => message(...bytes)),
    fc.array(fc.nat(), { minLength: 1, maxLength: 9 }).map((sequences) => settled(...sequences)),
  );
  fc.assert(
    fc.property(fc.array(body, { maxLength: 12 }), (all) => {
      assert.deepEqual(decodeSegment(segmentOf(all).file, 7), { bodies: all, damaged: 0 });
    }),
  );
});

test("a file cut short at any byte gives the frames before the cut", () => {
  const { file, begins } = segmentOf(bodies, 7, 0);

  for (let length = 0; length <= file.length; length++) {
    const found = decodeSegment(file.subarray(0, length), 7).bodies;

    const ends = [...begins.slice(1), file.length];
    // The padding of a frame says nothing: a cut within it costs nothing.
    const whole = ends.filter((end) => end <= length).length;
    assert.ok(found.length === whole || found.length === whole + 1, `cut to ${length}`);
    assert.deepEqual(found, bodies.slice(0, found.length), `cut to ${length}`);
  }
});

test("a bit flipped anywhere costs at most its own frame, and all but a lost begin of the last is told", () => {
  const { file, begins } = segmentOf(bodies);
  const lastBegin = begins[begins.length - 1] ?? 0;

  for (let bit = 0; bit < file.length * 8; bit++) {
    const flipped = Buffer.from(file);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const { bodies: found, damaged } = decodeSegment(flipped, 7);

    const hit = begins.filter((begin) => begin <= bit >> 3).length - 1;
    const without = bodies.filter((_, i) => i !== hit);
    if (found.length === bodies.length) assert.deepEqual(found, bodies, `bit ${bit}`);
    else {
      assert.deepEqual(found, without, `bit ${bit}`);
      const isLastBegin = bit >> 3 >= lastBegin && bit >> 3 < lastBegin + 8;
      assert.equal(damaged, isLastBegin ? 0 : 1, `bit ${bit}`);
    }
  }
});

test("a frame of another segment is no frame of this one", () => {
  const { file } = segmentOf(bodies, 7);

  assert.deepEqual(decodeSegment(file, 8), { bodies: [], damaged: 0 });
});

test("a segment full of false begins is given up after a bounded search", () => {
  const file = Buffer.alloc(1024 * 1024);
  for (let at = 0; at < file.length; at += 16) {
    file.writeUInt32BE(0x4d464f31, at);
    file.writeUInt32BE(7, at + 4);
    file.writeUInt32BE(file.length - at - 16, at + 8);
  }
  const started = performance.now();

  const { bodies: found } = decodeSegment(file, 7);

  assert.equal(found.length, 0);
  // 65,536 checksums of half a MiB each would take ten seconds and more.
  assert.ok(performance.now() - started < 5_000);
});
