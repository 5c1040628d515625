/**
 * The answer: what time it is, how exactly, for whom, signed; and the delegation of the key that signed.
 *
 * It carries everything needed to believe it but the root's public key, and stands on the wire exactly as it is
 * signed: both signatures are over a run of these very bytes, so that small firmware verifies without composing
 * anything. What is signed has a fixed length and a prefix of its own; the asker chooses 32 bytes in the middle and
 * never a digest.
 *
 * | offset | bytes | |
 * |---|---|---|
 * | 0 | 15 | `mayfly-time-v1\0` |
 * | 15 | 32 | nonce of the request |
 * | 47 | 8 | time, an instant |
 * | 55 | 4 | radius, milliseconds: the true time is within time ± radius |
 * | 59 | 64 | the online key's signature of bytes 0 to 58, R‖S |
 * | 123 | 170 | the delegation (`time-delegation.ts`) |
 */
import { concatBytes } from "../bytes.ts";
import { hasPrefix, readInstant, viewOf, writeInstant, writePrefix } from "./instant.ts";
import { TimeAnswerError } from "./time-answer-error.ts";
import { decodeDelegation, delegationBytes, type TimeDelegation } from "./time-delegation.ts";

const prefix = "mayfly-time-v1\0";
const nonceAt = 15;
const timeAt = 47;
const radiusAt = 55;
const delegationAt = 123;

/** Of these bytes the online key signs SHA-256. */
export const timeMessageBytes = 59;
export const timeAnswerBytes = delegationAt + delegationBytes;
/** 32 bits. */
export const radiusMillisMax = 2 ** 32 - 1;

export interface ToldTime {
  /** Of the request, 32 bytes. */
  readonly nonce: Uint8Array;
  readonly timeMillis: number;
  /** 0 to 2^32 - 1. */
  readonly radiusMillis: number;
}

/** An answer's parts. Nothing in it is believed before its signatures are verified. */
export interface TimeAnswer extends ToldTime {
  readonly delegation: TimeDelegation;
  /** What the two keys have signed, and the signatures, as they stand on the wire. */
  readonly signed: {
    readonly message: Uint8Array;
    readonly signature: Uint8Array;
    readonly delegationMessage: Uint8Array;
    readonly delegationSignature: Uint8Array;
  };
}

/** @returns The 59 bytes the online key signs. @throws {RangeError} a nonce of another length, a number out of range. */
export function encodeTimeMessage({ nonce, timeMillis, radiusMillis }: ToldTime): Uint8Array {
  if (nonce.length !== timeAt - nonceAt) throw new RangeError("a time nonce is 32 bytes");
  if (!Number.isInteger(radiusMillis) || radiusMillis < 0 || radiusMillis > radiusMillisMax) {
    throw new RangeError("a radius is a whole number of milliseconds of at most 32 bits");
  }
  const bytes = new Uint8Array(timeMessageBytes);
  const view = viewOf(bytes);
  writePrefix(bytes, prefix);
  bytes.set(nonce, nonceAt);
  writeInstant(view, timeAt, timeMillis);
  view.setUint32(radiusAt, radiusMillis);
  return bytes;
}

/**
 * @param message Of {@link encodeTimeMessage}. @param signature The online key's, R‖S, 64 bytes.
 * @param delegation With its signature, 170 bytes.
 * @throws {RangeError} parts of other lengths.
 */
export function joinTimeAnswer(
  message: Uint8Array,
  signature: Uint8Array,
  delegation: Uint8Array,
): Uint8Array {
  const answer = concatBytes([message, signature, delegation]);
  if (message.length !== timeMessageBytes || signature.length !== 64 || answer.length !== timeAnswerBytes) {
    throw new RangeError("an answer is 59 bytes, a signature of 64 and a delegation of 170");
  }
  return answer;
}

/**
 * Reads an answer; verifies no signature.
 *
 * @throws {TimeAnswerError} `time_answer_malformed`, `time_delegation_malformed`, `time_delegation_too_long`.
 */
export function decodeTimeAnswer(bytes: Uint8Array): TimeAnswer {
  if (bytes.length !== timeAnswerBytes) throw malformed(`${bytes.length} bytes`);
  if (!hasPrefix(bytes, prefix)) throw malformed("another prefix");
  const view = viewOf(bytes);
  const timeMillis = readInstant(view, timeAt);
  if (timeMillis === undefined) throw malformed("an instant out of range");
  const delegation = bytes.slice(delegationAt);
  return {
    nonce: bytes.slice(nonceAt, timeAt),
    timeMillis,
    radiusMillis: view.getUint32(radiusAt),
    delegation: decodeDelegation(delegation),
    signed: {
      message: bytes.slice(0, timeMessageBytes),
      signature: bytes.slice(timeMessageBytes, delegationAt),
      delegationMessage: delegation.subarray(0, delegationBytes - 64),
      delegationSignature: delegation.subarray(delegationBytes - 64),
    },
  };
}

function malformed(because: string): TimeAnswerError {
  return new TimeAnswerError("time_answer_malformed", `not a time answer: ${because}`, { because });
}
