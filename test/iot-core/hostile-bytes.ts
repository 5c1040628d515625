/**
 * Bytes for hostile rows, written so that a standard can be read beside them: hexadecimal, text in quotes for its
 * ASCII, and in braces what depends on who sends.
 *
 * `{p}` is an empty Property Length where the version has one. `{events}`, `{state}`, `{config}`, `{commands}` are
 * topics of the device with their two bytes of length, `{id}` is its Client Identifier, likewise.
 */
import assert from "node:assert/strict";

export interface Sender {
  readonly version: 4 | 5;
  readonly id: string;
  readonly clientIdentifier: string;
}

export type Bytes = (sender: Sender) => Buffer;

export interface Row {
  /** What is wrong, and the clause that says so: numbered statements, sections, or a row of our own reference. */
  readonly what: string;
  readonly version: 4 | 5;
  readonly bytes: Bytes;
  /**
   * What can be seen of the answer: packets in words, then `closed`, `open` (a PINGREQ behind it is answered) or
   * `silence` (nothing for a while, neither packet nor end).
   */
  readonly answer: string;
}

/** The bytes as they stand. */
export function raw(text: string): Bytes {
  return (sender) => read(text, sender);
}

/** A packet whose Remaining Length is counted. */
export function packet(firstByte: string, body: string): Bytes {
  return (sender) => framed(firstByte, read(body, sender));
}

export function framed(firstByte: string, body: Buffer): Buffer {
  const length: number[] = [];
  let rest = body.length;
  do {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return Buffer.concat([Buffer.from(firstByte, "hex"), Buffer.from(length), body]);
}

/** Two bytes of length, then the bytes (5.0 §1.5.4, §1.5.6). */
export function field(bytes: Buffer | string): Buffer {
  const data = Buffer.from(bytes);
  return Buffer.concat([Buffer.of(data.length >> 8, data.length & 0xff), data]);
}

export function both(...parts: readonly Bytes[]): Bytes {
  return (sender) => Buffer.concat(parts.map((part) => part(sender)));
}

function read(text: string, sender: Sender): Buffer {
  const words = text.match(/'[^']*'|\{\w+\}|[0-9a-f]{2}/g) ?? [];
  assert.equal(words.join("").length, text.replaceAll(/('[^']*')|\s/g, "$1").length, text);
  return Buffer.concat(
    words.map((word) => {
      if (word.startsWith("'")) return Buffer.from(word.slice(1, -1));
      return word.startsWith("{") ? meaningOf(word.slice(1, -1), sender) : Buffer.from(word, "hex");
    }),
  );
}

function meaningOf(name: string, { version, id, clientIdentifier }: Sender): Buffer {
  switch (name) {
    case "p":
      return version === 5 ? Buffer.of(0) : Buffer.alloc(0);
    case "v":
      return Buffer.of(version);
    case "id":
      return field(clientIdentifier);
    case "commands":
      return field(`/devices/${id}/commands/#`);
    default:
      assert.ok(["events", "state", "config"].includes(name), name);
      return field(`/devices/${id}/${name}`);
  }
}

/** Byte sequences that are no UTF-8, or not one MQTT takes (5.0 §1.5.4, 3.1.1 §1.5.3; Unicode 15 table 3-7). */
export const illFormedTexts: readonly (readonly [what: string, bytes: string])[] = [
  ["U+0000", "00"],
  ["a high surrogate", "ed a0 80"],
  ["a low surrogate", "ed bf bf"],
  ["a pair of surrogates (CESU-8)", "ed a0 bd ed b8 80"],
  ["U+0000 in two bytes", "c0 80"],
  ["'/' in two bytes", "c0 af"],
  ["an overlong form of two bytes", "c1 bf"],
  ["an overlong form of three bytes", "e0 80 af"],
  ["an overlong form of four bytes", "f0 80 80 af"],
  ["U+110000", "f4 90 80 80"],
  ["a lead byte beyond U+10FFFF", "f5 80 80 80"],
  ["a form of five bytes", "f8 88 80 80 80"],
  ["a lone continuation byte", "80"],
  ["a cut sequence of two bytes", "c3"],
  ["a cut sequence of three bytes", "e2 82"],
  ["a cut sequence of four bytes", "f0 9f 98"],
  ["a lead byte followed by ASCII", "c3 28"],
  ["0xFE", "fe"],
  ["0xFF", "ff"],
];

/** Hexadecimal of the two bytes of length and the bytes. */
export function lengthAnd(bytes: string): string {
  const length = bytes.split(" ").length;
  return `00 ${length.toString(16).padStart(2, "0")} ${bytes}`;
}
