/**
 * Reads the data types of MQTT (5.0 §1.5) from one packet, in place.
 *
 * A reader never looks past `end`: a field that would is `malformed_packet`. One reader serves all packets
 * of a burst, so reading costs no allocation beyond the values themselves.
 */

import { malformed } from "./error.ts";
import { type CodeUnits, decodeUtf8String, isAsciiText } from "./utf8-string.ts";

export class WireReader implements CodeUnits {
  bytes: Uint8Array;
  position: number;
  end: number;
  units: number[] = [];

  /** Stands at `start` of a packet that ends before `end`; both lie within `bytes`. */
  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  /** Goes to another packet. */
  reset(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  /** Bytes of the packet not read yet. */
  get remaining(): number {
    return this.end - this.position;
  }

  byte(): number {
    const at = this.#take(1);
    return this.bytes[at] ?? 0;
  }

  twoByteInteger(): number {
    const at = this.#take(2);
    const { bytes } = this;
    return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  }

  fourByteInteger(): number {
    const at = this.#take(4);
    const { bytes } = this;
    const low = ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
    return (bytes[at] ?? 0) * 0x1000000 + low;
  }

  /** §1.5.5: at most four bytes, and no more of them than the value needs [MQTT-1.5.5-1]. */
  variableByteInteger(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (byte === 0 && shift > 0) throw malformed("Variable Byte Integer longer than needed");
        return value;
      }
    }
    throw malformed("Variable Byte Integer of more than four bytes");
  }

  /** §1.5.4. @returns the text. @throws {MqttError} ill-formed UTF-8 or U+0000 within. */
  utf8String(): string {
    const length = this.twoByteInteger();
    const at = this.#take(length);
    return decodeUtf8String(this.bytes, at, at + length, this);
  }

  /** As {@link utf8String}, but gives back `expected` itself where that is what stands there. */
  utf8StringLike(expected: string): string {
    const length = this.twoByteInteger();
    const at = this.#take(length);
    const end = at + length;
    return isAsciiText(this.bytes, at, end, expected)
      ? expected
      : decodeUtf8String(this.bytes, at, end, this);
  }

  /** §1.5.6. @returns a view, as {@link view}. */
  binaryData(): Uint8Array {
    return this.view(this.twoByteInteger());
  }

  /** §1.5.6. @returns a copy of its own, for what outlives the received bytes. */
  binaryDataCopy(): Uint8Array {
    return new Uint8Array(this.binaryData());
  }

  /** The next `length` bytes in place, as a plain Uint8Array over the received buffer. */
  view(length: number): Uint8Array {
    const at = this.#take(length);
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + at, length);
  }

  /** A Packet Identifier is never 0 [MQTT-2.2.1-3]. */
  packetIdentifier(): number {
    const identifier = this.twoByteInteger();
    if (identifier === 0) throw malformed("Packet Identifier 0");
    return identifier;
  }

  /** To be called when a packet has been read: nothing may follow its last field. */
  finish(): void {
    if (this.position !== this.end) {
      throw malformed("bytes after the last field of the packet", {
        trailingBytes: this.end - this.position,
      });
    }
  }

  #take(length: number): number {
    const at = this.position;
    if (length > this.end - at) {
      throw malformed("a field reaches past the end of its packet", { wanted: length, left: this.end - at });
    }
    this.position = at + length;
    return at;
  }
}
