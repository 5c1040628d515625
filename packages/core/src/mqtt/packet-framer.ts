/**
 * Cuts a byte stream into MQTT Control Packets, whatever its chunking.
 *
 * A packet that lies whole in one chunk is read there, without a copy. Only the start of one that goes on in
 * the next chunk is kept, in a buffer of its own that grows with what arrived, never with what was promised.
 * The first byte is checked as soon as it is there, and the Remaining Length against the maximum packet size
 * as soon as the fixed header is: before anything of the body is kept.
 */

import { MqttError, malformed } from "./error.ts";
import { findFirstByteError, type PacketTypeSet } from "./packet-type.ts";
import { WireReader } from "./wire-reader.ts";

/** Beside one packet of the maximum size, this much may wait unread when more is pushed: a socket read. */
export const BACKLOG_BYTES_MAX = 65_536;
/** First room for a split packet, unless it is shorter or more of it is there already. */
const PARTIAL_BYTES_FIRST = 512;

export class PacketFramer {
  /** Of the fixed header of the packet that {@link advance} found; checked. */
  firstByte = 0;
  readonly #maximumPacketSize: number;
  /** Received and not yet read: from `#position` to its end. */
  #chunk: Uint8Array | undefined;
  #position = 0;
  /** The start of a packet that goes on in the next chunk; its first `#partialLength` bytes are there. */
  #partial: Uint8Array | undefined;
  #partialLength = 0;
  /** Lives for a burst only, lest an idle connection hold on to the last chunk it received. */
  #reader: WireReader | undefined;

  /** @param maximumPacketSize bytes of a whole packet, fixed header included (5.0 §3.1.2.11.4). */
  constructor(maximumPacketSize: number) {
    this.#maximumPacketSize = maximumPacketSize;
  }

  get bufferedBytes(): number {
    const unread = this.#chunk === undefined ? 0 : this.#chunk.length - this.#position;
    return unread + this.#partialLength;
  }

  /**
   * Takes received bytes; they are not copied where {@link advance} returned undefined before.
   *
   * @throws {MqttError} backlog_exceeded: more than a packet and {@link BACKLOG_BYTES_MAX} would wait unread.
   */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    const waiting = this.#chunk;
    if (waiting === undefined) {
      this.#chunk = chunk;
      this.#position = 0;
      return;
    }
    const bytes = this.bufferedBytes + chunk.length;
    if (bytes > this.#maximumPacketSize + BACKLOG_BYTES_MAX) {
      throw new MqttError("backlog_exceeded", "too many received bytes wait unread", { bytes });
    }
    const left = waiting.subarray(this.#position);
    const joined = new Uint8Array(left.length + chunk.length);
    joined.set(left);
    joined.set(chunk, left.length);
    this.#chunk = joined;
    this.#position = 0;
  }

  /** Forgets all received bytes. */
  clear(): void {
    this.#chunk = undefined;
    this.#position = 0;
    this.#partial = undefined;
    this.#partialLength = 0;
    this.#reader = undefined;
  }

  /**
   * Goes to the next whole packet, if it is there.
   *
   * @param accepted the packet types that may come now.
   * @returns a reader that stands at the packet's variable header, good until the next call.
   * @throws {MqttError}
   */
  advance(accepted: PacketTypeSet): WireReader | undefined {
    const chunk = this.#chunk;
    if (chunk === undefined) return this.#rest();
    if (this.#partial !== undefined) return this.#advancePartial(chunk, this.#partial, accepted);
    const start = this.#position;
    const total = this.#packetBytes(chunk, start, chunk.length, accepted);
    const end = start + total;
    if (total === 0 || end > chunk.length) {
      this.#keep(chunk, start, total);
      return this.#rest();
    }
    this.#takeFrom(chunk, end);
    return this.#stand(chunk, start, end);
  }

  /** The packet began in an earlier chunk: add what belongs to it. The fixed header comes byte by byte. */
  #advancePartial(chunk: Uint8Array, begun: Uint8Array, accepted: PacketTypeSet): WireReader | undefined {
    let partial = begun;
    for (;;) {
      const total = this.#packetBytes(partial, 0, this.#partialLength, accepted);
      if (total !== 0 && total === this.#partialLength) {
        this.#partial = undefined;
        this.#partialLength = 0;
        this.#takeFrom(chunk, this.#position);
        return this.#stand(partial, 0, total);
      }
      const left = chunk.length - this.#position;
      if (left === 0) {
        this.#chunk = undefined;
        this.#position = 0;
        return this.#rest();
      }
      const wanted = total === 0 ? 1 : total - this.#partialLength;
      const taken = Math.min(wanted, left);
      partial = this.#grow(partial, this.#partialLength + taken, total);
      partial.set(viewOf(chunk, this.#position, taken), this.#partialLength);
      this.#partialLength += taken;
      this.#position += taken;
    }
  }

  /** @returns the bytes of the whole packet that starts at `start`; 0 while its fixed header is not there. */
  #packetBytes(bytes: Uint8Array, start: number, end: number, accepted: PacketTypeSet): number {
    if (start >= end) return 0;
    const firstByte = bytes[start] ?? 0;
    const error = findFirstByteError(firstByte, accepted);
    if (error !== undefined) throw error;
    this.firstByte = firstByte;
    let remainingLength = 0;
    let at = start + 1;
    for (let shift = 0; ; shift += 7) {
      if (shift === 28) throw malformed("Remaining Length of more than four bytes");
      if (at >= end) return 0;
      const byte = bytes[at] ?? 0;
      at += 1;
      remainingLength |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (byte === 0 && shift > 0) throw malformed("Remaining Length longer than needed"); // MQTT-1.5.5-1
        break;
      }
    }
    const total = at - start + remainingLength;
    if (total > this.#maximumPacketSize) {
      throw new MqttError("packet_too_large", "a packet is over the maximum packet size", {
        packetBytes: total,
        maximumPacketSize: this.#maximumPacketSize,
      });
    }
    return total;
  }

  #rest(): undefined {
    this.#reader = undefined;
    return undefined;
  }

  #stand(bytes: Uint8Array, start: number, end: number): WireReader {
    let at = start + 1;
    while ((bytes[at] ?? 0) >= 0x80) at += 1;
    const reader = this.#reader;
    if (reader === undefined) {
      const first = new WireReader(bytes, at + 1, end);
      this.#reader = first;
      return first;
    }
    reader.reset(bytes, at + 1, end);
    return reader;
  }

  #takeFrom(chunk: Uint8Array, end: number): void {
    if (end === chunk.length) {
      this.#chunk = undefined;
      this.#position = 0;
    } else {
      this.#position = end;
    }
  }

  #keep(chunk: Uint8Array, start: number, total: number): void {
    const length = chunk.length - start;
    const partial = new Uint8Array(roomFor(length, PARTIAL_BYTES_FIRST, total));
    partial.set(viewOf(chunk, start, length));
    this.#partial = partial;
    this.#partialLength = length;
    this.#chunk = undefined;
    this.#position = 0;
  }

  #grow(partial: Uint8Array, needed: number, total: number): Uint8Array {
    if (needed <= partial.length) return partial;
    const larger = new Uint8Array(roomFor(needed, partial.length * 2, total));
    larger.set(partial.subarray(0, this.#partialLength));
    this.#partial = larger;
    return larger;
  }
}

/** Room for `needed` bytes: `wished` where that is more, yet not beyond the packet's `total` (0: not known yet). */
function roomFor(needed: number, wished: number, total: number): number {
  return Math.max(needed, total === 0 ? wished : Math.min(wished, total));
}

/** A plain Uint8Array: a subclass's own `subarray` may cost more. */
function viewOf(bytes: Uint8Array, start: number, length: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, length);
}
