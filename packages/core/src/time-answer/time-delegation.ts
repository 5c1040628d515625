/**
 * The delegation: a root says which key may tell the time, and from when to when.
 *
 * The root's key stays offline, so it signs rarely and the online key lives at most {@link delegationMillisMax}: as
 * long as that a thief of the online key can lie, and no longer. What is signed begins with a prefix of its own, so
 * that no delegation can pass for a time, a token or a statement, and none of these for a delegation.
 *
 * | offset | bytes | |
 * |---|---|---|
 * | 0 | 26 | `mayfly-time-delegation-v1\0` |
 * | 26 | 64 | the online key's public key, X‖Y |
 * | 90 | 8 | not before, an instant |
 * | 98 | 8 | not after, an instant |
 * | 106 | 64 | the root's signature of bytes 0 to 105, R‖S |
 */
import { hasPrefix, readInstant, viewOf, writeInstant, writePrefix } from "./instant.ts";
import { TimeAnswerError } from "./time-answer-error.ts";

const prefix = "mayfly-time-delegation-v1\0";
const keyAt = 26;
const notBeforeAt = 90;
const notAfterAt = 98;

/** P-256, X‖Y. */
export const timePublicKeyBytes = 64;
/** Of these bytes the root signs SHA-256. */
export const delegationMessageBytes = 106;
/** With the signature. */
export const delegationBytes = 170;
/** 30 days. */
export const delegationMillisMax = 30 * 86_400_000;

export interface TimeDelegation {
  /** X‖Y, 64 bytes. */
  readonly publicKey: Uint8Array;
  /** First and last instant the key may tell. */
  readonly notBeforeMillis: number;
  readonly notAfterMillis: number;
}

/**
 * @returns The 106 bytes a root signs.
 * @throws {RangeError} A key of another length, an instant out of range, an end before the begin, more than 30 days.
 */
export function encodeDelegationMessage(delegation: TimeDelegation): Uint8Array {
  const { publicKey, notBeforeMillis, notAfterMillis } = delegation;
  if (publicKey.length !== timePublicKeyBytes) throw new RangeError("a public key is X‖Y, 64 bytes");
  const lifetimeMillis = notAfterMillis - notBeforeMillis;
  if (!(lifetimeMillis >= 0 && lifetimeMillis <= delegationMillisMax)) {
    throw new RangeError("a delegation ends after it begins, and within 30 days");
  }
  const bytes = new Uint8Array(delegationMessageBytes);
  const view = viewOf(bytes);
  writePrefix(bytes, prefix);
  bytes.set(publicKey, keyAt);
  writeInstant(view, notBeforeAt, notBeforeMillis);
  writeInstant(view, notAfterAt, notAfterMillis);
  return bytes;
}

/**
 * Reads a delegation; verifies no signature.
 *
 * @param bytes 170 bytes.
 * @throws {TimeAnswerError} `time_delegation_malformed`, `time_delegation_too_long`.
 */
export function decodeDelegation(bytes: Uint8Array): TimeDelegation {
  if (bytes.length !== delegationBytes) throw malformed(`${bytes.length} bytes`);
  if (!hasPrefix(bytes, prefix)) throw malformed("another prefix");
  const view = viewOf(bytes);
  const notBeforeMillis = readInstant(view, notBeforeAt);
  const notAfterMillis = readInstant(view, notAfterAt);
  if (notBeforeMillis === undefined || notAfterMillis === undefined)
    throw malformed("an instant out of range");
  if (notAfterMillis < notBeforeMillis) throw malformed("it ends before it begins");
  if (notAfterMillis - notBeforeMillis > delegationMillisMax) {
    throw new TimeAnswerError("time_delegation_too_long", "the delegation is for more than 30 days", {
      notBeforeMillis,
      notAfterMillis,
    });
  }
  return { publicKey: bytes.slice(keyAt, notBeforeAt), notBeforeMillis, notAfterMillis };
}

function malformed(because: string): TimeAnswerError {
  return new TimeAnswerError("time_delegation_malformed", `not a delegation: ${because}`, { because });
}
