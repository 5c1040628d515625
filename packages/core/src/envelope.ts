/**
 * Envelope: a message's id carried within its payload, for where the protocol has no place for it (MQTT 3.1.1).
 *
 * ```
 * 4D 46 45 01 | length of the id, 1 byte | id, UTF-8 | payload to the end
 *  M  F  E  1
 * ```
 * Bytes and not JSON: a payload is bytes, and base64 would cost a third more and a parser. An application that reads a
 * message twice drops the second by its id.
 *
 * Left to others: who wraps (the device's agent, where it is told to), and how long ids are remembered (the application).
 */
import { utf8Decode, utf8Encode } from "./bytes.ts";

/** Of an id, UTF-8; at least 1. The bridge takes no longer ones as User Property `id` either. */
export const envelopeIdBytesMax = 128;
/** What an envelope adds to a payload, at most. */
export const envelopeBytesMax = 5 + envelopeIdBytesMax;

const headBytes = 5;
const version = 1;

/** A payload and the id its sender gave it. */
export interface Enveloped {
  readonly messageId: string;
  /** A view of the bytes it was read from. */
  readonly payload: Uint8Array;
}

/**
 * @param messageId 1 to {@link envelopeIdBytesMax} bytes of UTF-8.
 * @throws {RangeError} The id is shorter or longer.
 */
export function wrapEnvelope(messageId: string, payload: Uint8Array): Uint8Array {
  const id = utf8Encode(messageId);
  if (id.length < 1 || id.length > envelopeIdBytesMax) {
    throw new RangeError(`an envelope's id has 1 to ${envelopeIdBytesMax} bytes, not ${id.length}`);
  }
  const bytes = new Uint8Array(headBytes + id.length + payload.length);
  bytes[0] = 0x4d;
  bytes[1] = 0x46;
  bytes[2] = 0x45;
  bytes[3] = version;
  bytes[4] = id.length;
  bytes.set(id, headBytes);
  bytes.set(payload, headBytes + id.length);
  return bytes;
}

/** @returns undefined where this is no envelope of this version, whole and well-formed; then it is a plain payload. */
export function unwrapEnvelope(bytes: Uint8Array): Enveloped | undefined {
  const idBytes = bytes[4] ?? 0;
  const isOurs = bytes[0] === 0x4d && bytes[1] === 0x46 && bytes[2] === 0x45 && bytes[3] === version;
  const start = headBytes + idBytes;
  if (!isOurs || idBytes < 1 || idBytes > envelopeIdBytesMax || start > bytes.length) return undefined;
  try {
    return { messageId: utf8Decode(bytes.subarray(headBytes, start)), payload: bytes.subarray(start) };
  } catch {
    // The only error there is: not UTF-8, so nothing that was wrapped.
    return undefined;
  }
}
