/**
 * Outbox segment: the bytes of one file of the outbox, a run of frames that each tell their own wholeness.
 *
 * ```
 * frame:    magic `MFO1`, u32 | number of the segment, u32 | length of the body, u32 | CRC-32, u32 | body | zeros to a multiple of 8
 * body:     01 | record (outbox-record.ts)            a message
 *           02 | sequence, u48 | sequence, u48 | …    messages that need no sending any more
 * ```
 * Numbers are big-endian; the CRC (IEEE 802.3) is over segment number, length and body. A file is made at its full size
 * of zeros, so the frames end where no frame begins. A frame that is not whole costs itself and no other: the next is
 * looked for at every multiple of 8.
 *
 * Left to others: which files there are and when they are written (`outbox-file.ts`).
 */
import { crc32 } from "node:zlib";

const magic = 0x4d464f31;
const headBytes = 16;
const alignment = 8;
const sequenceBytes = 6;

/** Checksums tried in the search for the next frame; a segment that needs more is given up from there on. */
export const resyncTriesMax = 1_000;

const kindOfBody = { message: 1, settled: 2 } as const;

/** What a frame says. */
export type FrameBody =
  | { readonly kind: "message"; readonly record: Uint8Array }
  | { readonly kind: "settled"; readonly sequences: readonly number[] };

/** Bytes in the file of the frame of a record of so many bytes. */
export function messageFrameBytes(recordBytes: number): number {
  return alignUp(headBytes + 1 + recordBytes);
}

export function settledFrameBytes(count: number): number {
  return alignUp(headBytes + 1 + count * sequenceBytes);
}

/** Writes a frame into `file`, which has zeros there. @returns where the next begins. */
export function encodeFrame(file: Buffer, at: number, segment: number, body: FrameBody): number {
  const start = at + headBytes;
  let end: number;
  if (body.kind === "message") {
    file[start] = kindOfBody.message;
    file.set(body.record, start + 1);
    end = start + 1 + body.record.length;
  } else {
    file[start] = kindOfBody.settled;
    end = start + 1;
    for (const sequence of body.sequences) end = file.writeUIntBE(sequence, end, sequenceBytes);
  }
  file.writeUInt32BE(magic, at);
  file.writeUInt32BE(segment, at + 4);
  file.writeUInt32BE(end - start, at + 8);
  file.writeUInt32BE(checksum(file, at, end), at + 12);
  return alignUp(end);
}

export interface SegmentFrames {
  readonly bodies: readonly FrameBody[];
  /** Places where a frame of this segment began, or should have, and is not whole. */
  readonly damaged: number;
}

/** Reads whatever is whole. @param file Of any length: a file may have been cut. Bodies are views of it. */
export function decodeSegment(file: Buffer, segment: number): SegmentFrames {
  const bodies: FrameBody[] = [];
  let damaged = 0;
  let triesLeft = resyncTriesMax;
  for (let at = 0; at + headBytes <= file.length && triesLeft > 0; ) {
    if (!isFrameBegin(file, at, segment)) {
      const next = findFrameBegin(file, at + alignment, segment);
      if (next === undefined) break;
      // The frames end at zeros; what comes behind a gap was behind a frame whose head is gone.
      damaged += 1;
      at = next;
      continue;
    }
    const end = at + headBytes + file.readUInt32BE(at + 8);
    const body =
      end <= file.length && file.readUInt32BE(at + 12) === checksum(file, at, end)
        ? decodeBody(file.subarray(at + headBytes, end))
        : undefined;
    if (body !== undefined) {
      bodies.push(body);
      at = alignUp(end);
      continue;
    }
    damaged += 1;
    triesLeft -= 1;
    const next = findFrameBegin(file, at + alignment, segment);
    if (next === undefined) break;
    at = next;
  }
  return { bodies, damaged };
}

function decodeBody(body: Buffer): FrameBody | undefined {
  if (body[0] === kindOfBody.message) return { kind: "message", record: body.subarray(1) };
  if (body[0] !== kindOfBody.settled || body.length % sequenceBytes !== 1) return undefined;
  const sequences: number[] = [];
  for (let at = 1; at < body.length; at += sequenceBytes) sequences.push(body.readUIntBE(at, sequenceBytes));
  return { kind: "settled", sequences };
}

function isFrameBegin(file: Buffer, at: number, segment: number): boolean {
  return file.readUInt32BE(at) === magic && file.readUInt32BE(at + 4) === segment;
}

function findFrameBegin(file: Buffer, from: number, segment: number): number | undefined {
  for (let at = from; at + headBytes <= file.length; at += alignment) {
    if (isFrameBegin(file, at, segment)) return at;
  }
  return undefined;
}

function checksum(file: Buffer, at: number, end: number): number {
  return crc32(file.subarray(at + headBytes, end), crc32(file.subarray(at + 4, at + 12)));
}

function alignUp(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}
