/**
 * Verification of signed time: may a device believe what it was told, and how far?
 *
 * Root → delegation → answer → nonce: the root is pinned in the device, a delegation lasts at most 30 days, the answer
 * is to this device's own fresh nonce, so that it was made between sending and receiving. The true time at the
 * receipt is therefore the time told plus half the round trip, give or take that half and the radius. Cheap
 * refusals come first: a chip takes a tenth of a second for each signature.
 *
 * Left to others: nonces, sockets, the round trip's measurement, and what a device does with the time.
 */
import { equalBytes } from "../bytes.ts";
import type { NumericDate, Sha256 } from "../host.ts";
import { findEs256Malformation } from "../token/ecdsa-range.ts";
import { decodeTimeAnswer, type TimeAnswer } from "./time-answer.ts";
import { TimeAnswerError } from "./time-answer-error.ts";
import { timePublicKeyBytes } from "./time-delegation.ts";
import { timeNonceBytes } from "./time-request.ts";

/** Roots a device has pinned: the current one and the next. */
export const timePinsMax = 2;

/** Checks a signature by a digest, as a secure element does. */
export interface DigestVerifier {
  /**
   * @param publicKey X‖Y, 64 bytes. @param digest SHA-256, 32 bytes. @param signature R‖S, 64 bytes, in range.
   * @returns Is it good? What it throws or rejects with passes through: no bus, a key that is no point of the curve.
   */
  verifyDigest(publicKey: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean | Promise<boolean>;
}

/** Checks a signature by the whole message, as platforms do that hash by themselves. */
export interface MessageVerifier {
  /** As {@link DigestVerifier.verifyDigest}, for SHA-256 of `message`. */
  verifyMessage(
    publicKey: Uint8Array,
    message: Uint8Array,
    signature: Uint8Array,
  ): boolean | Promise<boolean>;
}

export interface TimeVerifierPorts {
  readonly verifier: DigestVerifier | MessageVerifier;
  readonly sha256: Sha256;
}

export interface TimeExpectation {
  /** Of the request, 32 bytes, used for this one request. */
  readonly nonce: Uint8Array;
  /** Public keys of the pinned roots, X‖Y, 1 to {@link timePinsMax}. */
  readonly pins: readonly Uint8Array[];
  /** From sending to receipt on the monotonic clock, 0 or more. */
  readonly roundTripMillis: number;
  /** Largest uncertainty worth having. */
  readonly limitMillis: number;
}

export interface VerifiedTime {
  /** At the receipt. */
  readonly now: NumericDate;
  /** Half the round trip and the radius: the true time is within `now` ± this. */
  readonly uncertaintySeconds: number;
  /** Which of the pins vouched, from 0. */
  readonly pin: number;
  readonly delegationEnds: NumericDate;
}

/**
 * @param bytes What came back, from anybody.
 * @throws {TimeAnswerError} (rejects) Refused; see its code. Nothing a peer sends makes it throw anything else.
 * @throws {RangeError} (rejects) An expectation that makes no sense: ours, not the peer's, fault.
 */
export async function verifyTimeAnswer(
  bytes: Uint8Array,
  expected: TimeExpectation,
  ports: TimeVerifierPorts,
): Promise<VerifiedTime> {
  checkExpectation(expected);
  const answer = decodeTimeAnswer(bytes);
  if (!equalBytes(answer.nonce, expected.nonce)) {
    throw new TimeAnswerError("time_nonce_mismatch", "the answer is to another request");
  }
  checkInDelegation(answer);
  const uncertaintyMillis = expected.roundTripMillis / 2 + answer.radiusMillis;
  if (uncertaintyMillis > expected.limitMillis) {
    throw new TimeAnswerError("time_too_uncertain", `the time is only known to ${uncertaintyMillis} ms`, {
      uncertaintyMillis,
      limitMillis: expected.limitMillis,
    });
  }
  const { signed, delegation } = answer;
  const pin = await findVouchingPin(answer, expected.pins, ports);
  if (!(await isSignedBy(delegation.publicKey, signed.message, signed.signature, ports))) {
    throw new TimeAnswerError("time_signature_invalid", "the delegated key did not sign this time");
  }
  return {
    now: (answer.timeMillis + expected.roundTripMillis / 2) / 1000,
    uncertaintySeconds: uncertaintyMillis / 1000,
    pin,
    delegationEnds: delegation.notAfterMillis / 1000,
  };
}

function checkExpectation({ nonce, pins, roundTripMillis, limitMillis }: TimeExpectation): void {
  const isSound =
    nonce.length === timeNonceBytes &&
    pins.length >= 1 &&
    pins.length <= timePinsMax &&
    pins.every((pin) => pin.length === timePublicKeyBytes) &&
    roundTripMillis >= 0 &&
    limitMillis >= 0;
  if (!isSound)
    throw new RangeError("a nonce of 32 bytes, 1 or 2 pins of 64, times of 0 or more are expected");
}

function checkInDelegation({ timeMillis, delegation }: TimeAnswer): void {
  const { notBeforeMillis, notAfterMillis } = delegation;
  if (timeMillis >= notBeforeMillis && timeMillis <= notAfterMillis) return;
  throw new TimeAnswerError("time_outside_delegation", "the time told lies outside the delegation", {
    timeMillis,
    notBeforeMillis,
    notAfterMillis,
  });
}

async function findVouchingPin(
  { signed }: TimeAnswer,
  pins: readonly Uint8Array[],
  ports: TimeVerifierPorts,
): Promise<number> {
  for (const [index, pin] of pins.entries()) {
    if (await isSignedBy(pin, signed.delegationMessage, signed.delegationSignature, ports)) return index;
  }
  throw new TimeAnswerError("time_delegation_signature_invalid", "no pinned root has made this delegation");
}

async function isSignedBy(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  ports: TimeVerifierPorts,
): Promise<boolean> {
  // Libraries and chips have been known to take r = s = 0 for any message.
  if (findEs256Malformation(signature) !== undefined) return false;
  const { verifier, sha256 } = ports;
  return "verifyDigest" in verifier
    ? verifier.verifyDigest(publicKey, sha256.digest(message), signature)
    : verifier.verifyMessage(publicKey, message, signature);
}
