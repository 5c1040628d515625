/**
 * Bytes and their texts: UTF-8 (RFC 3629), base64 and base64url (RFC 4648 §4, §5), hexadecimal.
 *
 * Written out here because the core runs where neither `Buffer` nor `TextEncoder` exists. Decoders are
 * strict: what they accept has exactly one encoding, so that no two texts stand for the same bytes.
 *
 * Left to others: which leniency a peer is granted (`token/policy.ts`).
 */

export type BytesErrorCode = "utf8_malformed" | "base64_malformed" | "hex_malformed";

/** A text or a run of bytes is not what it should encode. `code` is stable; `message` is for people. */
export class BytesError extends Error {
  override readonly name = "BytesError";
  readonly code: BytesErrorCode;
  /** Facts fit for a log: a position at most, never the bytes. */
  readonly facts: Readonly<Record<string, string | number>>;

  constructor(code: BytesErrorCode, message: string, facts: BytesError["facts"] = {}) {
    super(message);
    this.code = code;
    this.facts = facts;
  }
}

// Bytes turned to text in one call; larger runs could exhaust the argument stack of a small engine.
const charsPerCall = 512;

/** @returns UTF-8 of `text`; a lone surrogate becomes U+FFFD, as everywhere in the web platform. */
export function utf8Encode(text: string): Uint8Array {
  const ascii = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) return utf8EncodeWide(text);
    ascii[i] = unit;
  }
  return ascii;
}

function utf8EncodeWide(text: string): Uint8Array {
  const bytes = new Uint8Array(utf8Length(text));
  let at = 0;
  for (const character of text) {
    let point = character.codePointAt(0) ?? 0;
    if (point >= 0xd800 && point <= 0xdfff) point = 0xfffd;
    if (point < 0x80) {
      bytes[at++] = point;
    } else if (point < 0x800) {
      bytes[at++] = 0xc0 | (point >> 6);
      bytes[at++] = 0x80 | (point & 0x3f);
    } else if (point < 0x10000) {
      bytes[at++] = 0xe0 | (point >> 12);
      bytes[at++] = 0x80 | ((point >> 6) & 0x3f);
      bytes[at++] = 0x80 | (point & 0x3f);
    } else {
      bytes[at++] = 0xf0 | (point >> 18);
      bytes[at++] = 0x80 | ((point >> 12) & 0x3f);
      bytes[at++] = 0x80 | ((point >> 6) & 0x3f);
      bytes[at++] = 0x80 | (point & 0x3f);
    }
  }
  return bytes;
}

/** @returns How many bytes {@link utf8Encode} would give, without making them. */
export function utf8Length(text: string): number {
  let length = 0;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    length += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return length;
}

/**
 * @param bytes Well-formed UTF-8 (RFC 3629 §4): no overlong form, no surrogate, nothing above U+10FFFF.
 *   A byte order mark is kept as U+FEFF; NUL is kept.
 * @throws {BytesError} `utf8_malformed`.
 */
export function utf8Decode(bytes: Uint8Array): string {
  for (let i = 0; i < bytes.length; i++) {
    if ((bytes[i] ?? 0) > 0x7f) return utf8DecodeWide(bytes);
  }
  return asciiText(bytes);
}

function asciiText(bytes: Uint8Array): string {
  if (bytes.length <= charsPerCall) return textOfUnits(bytes);
  let text = "";
  for (let start = 0; start < bytes.length; start += charsPerCall) {
    text += textOfUnits(bytes.subarray(start, start + charsPerCall));
  }
  return text;
}

function textOfUnits(units: Uint8Array | readonly number[]): string {
  // `apply` takes any array-like; only its declared type asks for number[].
  return String.fromCharCode.apply(null, units as number[]);
}

function utf8DecodeWide(bytes: Uint8Array): string {
  let text = "";
  let units: number[] = [];
  let at = 0;
  while (at < bytes.length) {
    const first = bytes[at] ?? 0;
    const length = sequenceLength(first);
    if (length === 0 || at + length > bytes.length) throw malformedUtf8(at);
    let point = length === 1 ? first : first & (0x7f >> length);
    for (let i = 1; i < length; i++) {
      const next = bytes[at + i] ?? 0;
      if ((next & 0xc0) !== 0x80) throw malformedUtf8(at + i);
      point = (point << 6) | (next & 0x3f);
    }
    if (!isShortestForm(point, length)) throw malformedUtf8(at);
    if (point < 0x10000) units.push(point);
    else units.push(0xd7c0 + (point >> 10), 0xdc00 | (point & 0x3ff));
    at += length;
    if (units.length >= charsPerCall - 1) {
      text += textOfUnits(units);
      units = [];
    }
  }
  return text + textOfUnits(units);
}

function sequenceLength(first: number): 0 | 1 | 2 | 3 | 4 {
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 3;
  return first < 0xf5 ? 4 : 0;
}

function isShortestForm(point: number, length: number): boolean {
  if (length === 3) return point >= 0x800 && (point < 0xd800 || point > 0xdfff);
  if (length === 4) return point >= 0x10000 && point <= 0x10ffff;
  return true;
}

function malformedUtf8(at: number): BytesError {
  return new BytesError("utf8_malformed", `not UTF-8 at byte ${at}`, { at });
}

const urlAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const standardAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** @returns base64url without padding (RFC 7515 §2). */
export function base64urlEncode(bytes: Uint8Array): string {
  return encodeBase64(bytes, urlAlphabet);
}

/** @returns Standard alphabet, padded (RFC 4648 §4). */
export function base64Encode(bytes: Uint8Array): string {
  const text = encodeBase64(bytes, standardAlphabet);
  const over = text.length % 4;
  return over === 0 ? text : text + "=".repeat(4 - over);
}

function encodeBase64(bytes: Uint8Array, alphabet: string): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const group = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text += alphabet.charAt(group >> 18) + alphabet.charAt((group >> 12) & 63);
    if (left > 1) text += alphabet.charAt((group >> 6) & 63);
    if (left > 2) text += alphabet.charAt(group & 63);
  }
  return text;
}

// Value of the characters 0 to 127, plus 1, as the code of a character; 0 where there is none. A string,
// since a preloaded module must not hold a mutable array (XS).
const urlValues = valuesOf(urlAlphabet);
const eitherValues = valuesOf(urlAlphabet, standardAlphabet);

function valuesOf(...alphabets: readonly string[]): string {
  const values: number[] = [];
  for (let code = 0; code < 128; code++) {
    const value = Math.max(...alphabets.map((alphabet) => alphabet.indexOf(String.fromCharCode(code))));
    values.push(value + 1);
  }
  // In one call: a string grown by `+=` is a rope, and V8 pays for that at every later charCodeAt.
  return textOfUnits(values);
}

/**
 * @param text base64url without padding; the unused bits of the last character are zero.
 * @param start First character to read, of those up to `end`: a part of a token is read where it stands.
 * @throws {BytesError} `base64_malformed` for padding, another alphabet, white space, or a second
 *   spelling of the same bytes.
 */
export function base64urlDecode(text: string, start = 0, end: number = text.length): Uint8Array {
  return decodeBase64(text, start, end, urlValues);
}

/**
 * {@link base64urlDecode} and {@link utf8Decode} in one pass where the text is ASCII, as headers and claims
 * are: no array in between.
 *
 * @throws {BytesError} `base64_malformed`, `utf8_malformed`.
 */
export function base64urlDecodeText(text: string, start = 0, end: number = text.length): string {
  let decoded = "";
  let seen = 0;
  let i = start;
  // Twelve characters a call: fewer pieces to join.
  for (; i + 16 <= end; i += 16) {
    const a = groupAt(text, i);
    const b = groupAt(text, i + 4);
    const c = groupAt(text, i + 8);
    const d = groupAt(text, i + 12);
    seen |= a | b | c | d;
    decoded += String.fromCharCode(
      a >> 16,
      (a >> 8) & 0xff,
      a & 0xff,
      b >> 16,
      (b >> 8) & 0xff,
      b & 0xff,
      c >> 16,
      (c >> 8) & 0xff,
      c & 0xff,
      d >> 16,
      (d >> 8) & 0xff,
      d & 0xff,
    );
  }
  // Neither a character of another alphabet (negative) nor a byte beyond ASCII: else the careful way.
  if ((seen & 0x80808080) !== 0) return utf8Decode(base64urlDecode(text, start, end));
  return decoded + utf8Decode(base64urlDecode(text, i, end));
}

/** Three bytes of four characters, or -1 where one is not of the alphabet. */
function groupAt(text: string, at: number): number {
  const a = urlValues.charCodeAt(text.charCodeAt(at)) | 0;
  const b = urlValues.charCodeAt(text.charCodeAt(at + 1)) | 0;
  const c = urlValues.charCodeAt(text.charCodeAt(at + 2)) | 0;
  const d = urlValues.charCodeAt(text.charCodeAt(at + 3)) | 0;
  if (a === 0 || b === 0 || c === 0 || d === 0) return -1;
  return ((a - 1) << 18) | ((b - 1) << 12) | ((c - 1) << 6) | (d - 1);
}

/**
 * Takes what devices have been seen to send: either alphabet, padded or not. Padding, where present, must
 * be complete; unused bits must be zero; white space is refused.
 *
 * @throws {BytesError} `base64_malformed`.
 */
export function base64LenientDecode(text: string, start = 0, end: number = text.length): Uint8Array {
  let last = end;
  if ((end - start) % 4 === 0) {
    if (last > start && text.charCodeAt(last - 1) === 0x3d) last--;
    if (last > start && text.charCodeAt(last - 1) === 0x3d) last--;
  }
  return decodeBase64(text, start, last, eitherValues);
}

function decodeBase64(text: string, start: number, end: number, values: string): Uint8Array {
  const over = (end - start) % 4;
  if (over === 1) throw malformedBase64(end);
  const bytes = new Uint8Array((end - start - over) * 0.75 + (over === 0 ? 0 : over - 1));
  let out = 0;
  let i = start;
  for (; i + 4 <= end; i += 4) {
    // charCodeAt beyond 127 gives NaN, `| 0` makes it 0: not in the alphabet.
    const a = values.charCodeAt(text.charCodeAt(i)) | 0;
    const b = values.charCodeAt(text.charCodeAt(i + 1)) | 0;
    const c = values.charCodeAt(text.charCodeAt(i + 2)) | 0;
    const d = values.charCodeAt(text.charCodeAt(i + 3)) | 0;
    if (a === 0 || b === 0 || c === 0 || d === 0) throw malformedBase64(i);
    const group = ((a - 1) << 18) | ((b - 1) << 12) | ((c - 1) << 6) | (d - 1);
    bytes[out++] = group >> 16;
    bytes[out++] = (group >> 8) & 0xff;
    bytes[out++] = group & 0xff;
  }
  if (over === 0) return bytes;
  const a = values.charCodeAt(text.charCodeAt(i)) | 0;
  const b = values.charCodeAt(text.charCodeAt(i + 1)) | 0;
  const c = over === 3 ? values.charCodeAt(text.charCodeAt(i + 2)) | 0 : 1;
  if (a === 0 || b === 0 || c === 0) throw malformedBase64(i);
  const group = ((a - 1) << 18) | ((b - 1) << 12) | ((c - 1) << 6);
  const unused = over === 3 ? group & 0xff : group & 0xffff;
  if (unused !== 0) throw malformedBase64(end - 1);
  bytes[out++] = group >> 16;
  if (over === 3) bytes[out] = (group >> 8) & 0xff;
  return bytes;
}

function malformedBase64(at: number): BytesError {
  return new BytesError("base64_malformed", `not base64 near character ${at}`, { at });
}

/** @returns Lower-case hexadecimal, two digits a byte. */
export function hexEncode(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += (byte < 16 ? "0" : "") + byte.toString(16);
  return text;
}

/**
 * @param text An even number of hexadecimal digits, either case, nothing between them.
 * @throws {BytesError} `hex_malformed`.
 */
export function hexDecode(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length >> 1);
  if (text.length % 2 !== 0) throw malformedHex(text.length);
  for (let i = 0; i < bytes.length; i++) {
    const high = hexValue(text.charCodeAt(2 * i));
    const low = hexValue(text.charCodeAt(2 * i + 1));
    if (high < 0 || low < 0) throw malformedHex(2 * i);
    bytes[i] = high * 16 + low;
  }
  return bytes;
}

function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function malformedHex(at: number): BytesError {
  return new BytesError("hex_malformed", `not hexadecimal at character ${at}`, { at });
}

/** @returns A new array: the parts one after another. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * Compares every byte whatever the outcome. No promise of constant time: engines optimise as they like,
 * so compare secrets with the platform's own function.
 */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}
