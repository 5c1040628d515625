/**
 * Writes the data types of MQTT (5.0 §1.5) and closes them into a packet.
 *
 * The body is written first, five bytes in; once its length is known the fixed header is put right before
 * it. So nothing is measured twice and nothing moves. Values without a form on the wire are `not_encodable`.
 */

import { notEncodable } from "./error.ts";
import { STRING_BYTES_MAX, utf8StringBytes, writeUtf8 } from "./utf8-string.ts";

/** §1.5.5: what four bytes of seven bits hold. */
export const VARIABLE_BYTE_INTEGER_MAX = 268_435_455;
/** First byte and the longest Remaining Length. */
const FIXED_HEADER_BYTES_MAX = 5;

export class WireWriter {
  #bytes: Uint8Array;
  #position = FIXED_HEADER_BYTES_MAX;

  /** @param bodyBytes a guess; it grows as needed. */
  constructor(bodyBytes: number) {
    this.#bytes = new Uint8Array(FIXED_HEADER_BYTES_MAX + bodyBytes);
  }

  byte(value: number): void {
    const at = this.#grow(1);
    this.#bytes[at] = checked(value, 0xff);
  }

  twoByteInteger(value: number): void {
    checked(value, 0xffff);
    const at = this.#grow(2);
    this.#bytes[at] = value >> 8;
    this.#bytes[at + 1] = value;
  }

  fourByteInteger(value: number): void {
    checked(value, 0xffffffff);
    const at = this.#grow(4);
    this.#bytes[at] = value >>> 24;
    this.#bytes[at + 1] = value >>> 16;
    this.#bytes[at + 2] = value >>> 8;
    this.#bytes[at + 3] = value;
  }

  variableByteInteger(value: number): void {
    const size = variableByteIntegerBytes(value);
    const at = this.#grow(size);
    writeVariableByteInteger(this.#bytes, at, value);
  }

  utf8String(text: string): void {
    const size = utf8StringBytes(text);
    this.twoByteInteger(size);
    const at = this.#grow(size);
    writeUtf8(this.#bytes, at, text, size);
  }

  binaryData(value: Uint8Array): void {
    if (value.length > STRING_BYTES_MAX)
      throw notEncodable("Binary Data is too long", { bytes: value.length });
    this.twoByteInteger(value.length);
    this.raw(value);
  }

  /** Bytes as they are, without a length. */
  raw(value: Uint8Array): void {
    const at = this.#grow(value.length);
    this.#bytes.set(value, at);
  }

  packetIdentifier(value: number): void {
    this.twoByteInteger(checkedPacketIdentifier(value));
  }

  /** A Variable Byte Integer that counts what `body` wrote, then that: the form of Properties (§2.2.2). */
  counted(body: WireWriter): void {
    const written = body.body();
    this.variableByteInteger(written.length);
    this.raw(written);
  }

  /** What was written, in place. */
  body(): Uint8Array {
    return this.#bytes.subarray(FIXED_HEADER_BYTES_MAX, this.#position);
  }

  /** The whole packet: fixed header and body. The writer is used up. */
  finish(firstByte: number): Uint8Array {
    const remainingLength = this.#position - FIXED_HEADER_BYTES_MAX;
    const start = FIXED_HEADER_BYTES_MAX - 1 - variableByteIntegerBytes(remainingLength);
    this.#bytes[start] = firstByte;
    writeVariableByteInteger(this.#bytes, start + 1, remainingLength);
    return this.#bytes.subarray(start, this.#position);
  }

  #grow(length: number): number {
    const at = this.#position;
    const end = at + length;
    if (end > this.#bytes.length) {
      if (end > VARIABLE_BYTE_INTEGER_MAX) throw notEncodable("a packet is too long", { bytes: end });
      const larger = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#position = end;
    return at;
  }
}

/** @returns 1 to 4. @throws {MqttError} not_encodable: above 268,435,455 or not a whole number. */
export function variableByteIntegerBytes(value: number): 1 | 2 | 3 | 4 {
  checked(value, VARIABLE_BYTE_INTEGER_MAX);
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : 4;
}

/** §1.5.5, in as few bytes as the value needs. @returns the place after it. */
export function writeVariableByteInteger(target: Uint8Array, at: number, value: number): number {
  let rest = value;
  let place = at;
  while (rest >= 0x80) {
    target[place++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[place++] = rest;
  return place;
}

/** A Packet Identifier is 1 to 65,535 [MQTT-2.2.1-3]. */
export function checkedPacketIdentifier(value: number): number {
  if (value === 0) throw notEncodable("Packet Identifier 0");
  return checked(value, 0xffff);
}

function checked(value: number, most: number): number {
  if (!Number.isInteger(value) || value < 0 || value > most) {
    throw notEncodable("a number is out of range", { value, most });
  }
  return value;
}
