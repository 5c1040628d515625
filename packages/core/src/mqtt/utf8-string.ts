/**
 * UTF-8 Encoded Strings of MQTT (5.0 §1.5.4), without TextDecoder: the device's engine has none.
 *
 * Strict: overlong forms, surrogates, values above U+10FFFF and U+0000 are refused both ways; U+FEFF is kept.
 * Nearly all text on the wire is ASCII, so that path comes first. The other path counts by code point,
 * because engines differ in what a string's length means (XS counts code points, Node UTF-16 units).
 */

import { malformed, notEncodable } from "./error.ts";

/** §1.5.4: the length prefix has two bytes. */
export const STRING_BYTES_MAX = 65_535;
/** Arguments of one String.fromCharCode call: the stack of a device's engine has a few hundred slots. */
const PIECE_MAX = 64;

/** Room for the code units of one string; kept by a reader, as Topic Names of one length come in rows. */
export interface CodeUnits {
  units: number[];
}

/** @throws {MqttError} malformed_packet. `start` and `end` must lie within `bytes`. */
export function decodeUtf8String(bytes: Uint8Array, start: number, end: number, room: CodeUnits): string {
  const length = end - start;
  if (length === 0) return "";
  if (length > PIECE_MAX) return decodeLong(bytes, start, end, room);
  if (room.units.length !== length) room.units = new Array(length);
  const { units } = room;
  for (let at = 0; at < length; at += 1) {
    const byte = bytes[start + at] ?? 0;
    if (byte >= 0x80) return decodeCodePoints(bytes, start, end);
    if (byte === 0) throw malformed("U+0000 in a UTF-8 Encoded String");
    units[at] = byte;
  }
  return String.fromCharCode(...units);
}

/** Whether `bytes` from `start` to `end` are ASCII and say `text`, told without making a string of them. */
export function isAsciiText(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  const length = end - start;
  if (text.length !== length) return false;
  // From the end: Topic Names of a device differ there.
  for (let at = length - 1; at >= 0; at -= 1) {
    const byte = bytes[start + at] ?? 0;
    if (byte >= 0x80 || text.charCodeAt(at) !== byte) return false;
  }
  return true;
}

/** Pieces end where a code point ends. */
function decodeLong(bytes: Uint8Array, start: number, end: number, room: CodeUnits): string {
  let text = "";
  let at = start;
  while (at < end) {
    let stop = Math.min(at + PIECE_MAX, end);
    // At most three continuation bytes can follow a lead byte; more is ill-formed and found below.
    for (let back = 0; back < 3 && stop < end && ((bytes[stop] ?? 0) & 0xc0) === 0x80; back += 1) stop -= 1;
    text += decodeUtf8String(bytes, at, stop, room);
    at = stop;
  }
  return text;
}

function decodeCodePoints(bytes: Uint8Array, start: number, end: number): string {
  const codePoints: number[] = [];
  let at = start;
  while (at < end) {
    const lead = bytes[at] ?? 0;
    const size = sequenceSize(lead);
    if (size === 0 || at + size > end) throw illFormed();
    let codePoint = size === 1 ? lead : lead & (0x7f >> size);
    for (let next = at + 1; next < at + size; next += 1) {
      const byte = bytes[next] ?? 0;
      if ((byte & 0xc0) !== 0x80) throw illFormed();
      codePoint = (codePoint << 6) | (byte & 0x3f);
    }
    if (codePoint === 0) throw malformed("U+0000 in a UTF-8 Encoded String"); // MQTT-1.5.4-2
    if (codePoint < leastOfSize(size) || codePoint > 0x10ffff || isSurrogate(codePoint)) throw illFormed();
    codePoints.push(codePoint);
    at += size;
  }
  return String.fromCodePoint(...codePoints);
}

/** @returns bytes of the text as UTF-8. @throws {MqttError} not_encodable: lone surrogate, U+0000, over 65,535 bytes. */
export function utf8StringBytes(text: string): number {
  const units = text.length;
  let size = units;
  for (let at = 0; at < units; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit >= 0x80) {
      size = codePointBytes(text);
      break;
    }
    if (unit === 0) throw notEncodable("U+0000 in a UTF-8 Encoded String");
  }
  if (size > STRING_BYTES_MAX) throw notEncodable("a UTF-8 Encoded String is too long", { bytes: size });
  return size;
}

function codePointBytes(text: string): number {
  let size = 0;
  for (const character of text) {
    const codePoint = character.codePointAt(0) ?? 0;
    if (codePoint === 0) throw notEncodable("U+0000 in a UTF-8 Encoded String");
    if (isSurrogate(codePoint)) throw notEncodable("a lone surrogate in a UTF-8 Encoded String");
    size += codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;
  }
  return size;
}

/** Writes text measured as `size` bytes by {@link utf8StringBytes} into `target` from `at`. @returns the place after it. */
export function writeUtf8(target: Uint8Array, at: number, text: string, size: number): number {
  if (size === text.length) {
    for (let index = 0; index < size; index += 1) target[at + index] = text.charCodeAt(index);
    return at + size;
  }
  let place = at;
  for (const character of text) {
    const codePoint = character.codePointAt(0) ?? 0;
    if (codePoint < 0x80) {
      target[place++] = codePoint;
      continue;
    }
    if (codePoint < 0x800) {
      target[place++] = 0xc0 | (codePoint >> 6);
    } else {
      if (codePoint < 0x10000) {
        target[place++] = 0xe0 | (codePoint >> 12);
      } else {
        target[place++] = 0xf0 | (codePoint >> 18);
        target[place++] = 0x80 | ((codePoint >> 12) & 0x3f);
      }
      target[place++] = 0x80 | ((codePoint >> 6) & 0x3f);
    }
    target[place++] = 0x80 | (codePoint & 0x3f);
  }
  return place;
}

function sequenceSize(lead: number): 0 | 1 | 2 | 3 | 4 {
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;
  if (lead < 0xe0) return 2;
  if (lead < 0xf0) return 3;
  return lead < 0xf5 ? 4 : 0;
}

function leastOfSize(size: 1 | 2 | 3 | 4): number {
  return size === 1 ? 0 : size === 2 ? 0x80 : size === 3 ? 0x800 : 0x10000;
}

function isSurrogate(codePoint: number): boolean {
  return codePoint >= 0xd800 && codePoint <= 0xdfff;
}

function illFormed(): Error {
  return malformed("ill-formed UTF-8"); // MQTT-1.5.4-1
}
