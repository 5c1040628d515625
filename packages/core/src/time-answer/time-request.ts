/**
 * The question: a nonce, padded to the length of the answer.
 *
 * Since the answer is never longer than the question, a sender with a forged address gains nothing by having us
 * answer the victim. One length and zero padding, so that a request has exactly one form.
 *
 * | offset | bytes | |
 * |---|---|---|
 * | 0 | 23 | `mayfly-time-request-v1\0` |
 * | 23 | 32 | nonce |
 * | 55 | 238 | zero |
 */
import { hasPrefix, writePrefix } from "./instant.ts";
import { timeAnswerBytes } from "./time-answer.ts";
import { TimeAnswerError } from "./time-answer-error.ts";

const prefix = "mayfly-time-request-v1\0";

/** Unpredictable, used once: it is what tells a fresh answer from a recorded one. */
export const timeNonceBytes = 32;
export const timeRequestBytes = timeAnswerBytes;

/** @param nonce 32 bytes. @throws {RangeError} another length. */
export function encodeTimeRequest(nonce: Uint8Array): Uint8Array {
  if (nonce.length !== timeNonceBytes) throw new RangeError(`a time nonce is ${timeNonceBytes} bytes`);
  const bytes = new Uint8Array(timeRequestBytes);
  writePrefix(bytes, prefix);
  bytes.set(nonce, prefix.length);
  return bytes;
}

/** @returns The nonce, a copy. @throws {TimeAnswerError} `time_request_malformed`. */
export function decodeTimeRequest(bytes: Uint8Array): Uint8Array {
  const end = prefix.length + timeNonceBytes;
  if (bytes.length !== timeRequestBytes) throw malformed(`${bytes.length} bytes`);
  if (!hasPrefix(bytes, prefix)) throw malformed("another prefix");
  for (let i = end; i < timeRequestBytes; i++)
    if (bytes[i] !== 0) throw malformed("padding that is not zero");
  return bytes.slice(prefix.length, end);
}

function malformed(because: string): TimeAnswerError {
  return new TimeAnswerError("time_request_malformed", `not a time request: ${because}`, { because });
}
