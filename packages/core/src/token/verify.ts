/**
 * Verification of a device token: one parser, one order of checks, for every bridge.
 *
 * Cheap refusals come first (size, header, types, time, audience, subject, device), so that an attacker
 * cannot make us spend a curve operation on a token we would refuse anyway. Time is the exception: a known
 * device whose clock is wrong deserves that we look whether it is really that device, so the caller may ask
 * for the signature to be checked all the same.
 *
 * Left to others: which registry and device the peer claims to be (Client Identifier or URL, before), what
 * the peer is told (`refusal-on-wire.ts`), and who may ask how often.
 */
import type { NumericDate } from "../host.ts";
import {
  findExpiry,
  findFutureFailure,
  type JwtClaims,
  type Leniency,
  readClaims,
  type TimeFailure,
} from "./claims.ts";
import { findEs256Malformation } from "./ecdsa-range.ts";
import { type JoseHeader, type JwsParts, judgeHeader, splitJws } from "./jws.ts";
import { type CandidateKey, type KeyState, keysToTry, type TokenAlgorithm } from "./key-state.ts";
import type { TokenPolicy } from "./policy.ts";
import { type Authenticity, TokenError } from "./token-error.ts";
import type { SignatureVerifier } from "./verifier.ts";

/** What the bridge knows when a token arrives. */
export interface VerificationContext {
  readonly policy: TokenPolicy;
  /** This machine's clock. */
  readonly now: NumericDate;
  /** The project of the registry. */
  readonly audience: string;
  /** The names the peer's device has, `sub` may be any of them: by string id and by numId. */
  readonly devicePaths: readonly string[];
  /** Did the peer show itself to be an agent of ours? Then strict policies want a `sub`. */
  readonly ownAgent: boolean;
  /** `undefined` where the registry has no such device. */
  readonly device: DeviceFacts | undefined;
  /** Check the signature even where time alone fails: costs a verification, so the caller limits the rate. */
  readonly verifyWhenTimeFails: boolean;
  /** Told what the token claims once that can be read, before anything of it is proved or refused. */
  readonly onClaims?: (claims: JwtClaims) => void;
}

export interface DeviceFacts {
  readonly blocked: boolean;
  /** All keys on record, also those that may not verify. */
  readonly keys: readonly CandidateKey[];
  /** The key that verified last, tried early. */
  readonly lastKeyId?: string;
  /** Tokens issued before this instant are refused. */
  readonly tokensNotBeforeSeconds?: NumericDate;
}

/** A token that was found good. */
export interface VerifiedToken {
  readonly claims: JwtClaims;
  /** The key that verified: the registry learns which is in use. */
  readonly keyId: string;
  readonly keyState: KeyState;
  readonly alg: TokenAlgorithm;
  /** From this instant on the session must be over: least of `exp` + grace and the key's expiration time. */
  readonly deadlineSeconds: NumericDate;
  /** What had to be forgiven. */
  readonly leniencies: readonly Leniency[];
}

/**
 * Verifies a device token and returns the claims the bridge may act on.
 *
 * @param token JWS Compact Serialization (RFC 7515 §3.1), at most 8192 bytes.
 * @throws {TokenError} The token is refused; see its code. No string makes it throw anything else.
 */
export function verifyDeviceToken(
  token: string,
  context: VerificationContext,
  verifier: SignatureVerifier,
): VerifiedToken {
  const { policy, now } = context;
  const parts = splitJws(token, policy);
  const header = judgeHeader(parts.header, "JWT");
  const claims = readClaims(parts.payload, policy, parts.leniencies);
  context.onClaims?.(claims);

  const future = findFutureFailure(claims, policy, now);
  if (future !== undefined && !context.verifyWhenTimeFails) throw timeError(future, claims);
  const expiry = findExpiry(claims, policy, now);
  const failure = future ?? expiry;
  if (failure === undefined) return verifyTimelyToken(parts, header, claims, context, verifier);

  if (future === undefined) checkLifetime(claims, policy);
  if (!context.verifyWhenTimeFails) throw timeError(failure, claims);
  throw timeError(failure, claims, authenticityOf(parts, header, claims, context, verifier));
}

function timeError(failure: TimeFailure, { iat, u }: JwtClaims, authenticity?: Authenticity): TokenError {
  const facts = { ...failure.facts, iat, ...(u === undefined ? undefined : { u }) };
  return new TokenError(failure.code, failure.message, facts, authenticity);
}

/** Authentic means: but for its times it would have been taken. */
function authenticityOf(
  parts: JwsParts,
  header: JoseHeader,
  claims: JwtClaims,
  context: VerificationContext,
  verifier: SignatureVerifier,
): Authenticity {
  try {
    verifyTimelyToken(parts, header, claims, context, verifier);
    return "authentic";
  } catch (error) {
    if (error instanceof TokenError) return "unauthenticated";
    throw error;
  }
}

/** All checks but those of time, in order. */
function verifyTimelyToken(
  parts: JwsParts,
  header: JoseHeader,
  claims: JwtClaims,
  context: VerificationContext,
  verifier: SignatureVerifier,
): VerifiedToken {
  const { policy } = context;
  checkLifetime(claims, policy);
  checkAudience(claims, context);
  checkSubject(claims, context);
  const device = admissibleDevice(parts, header, claims, context, verifier);
  const key = findVerifyingKey(parts, header, device, context, verifier);
  const deadline = claims.exp + policy.graceSeconds;
  return {
    claims,
    keyId: key.keyId,
    keyState: key.state,
    alg: header.alg,
    deadlineSeconds:
      key.expiresAtSeconds !== undefined && key.expiresAtSeconds < deadline ? key.expiresAtSeconds : deadline,
    leniencies: parts.leniencies,
  };
}

function checkLifetime(claims: JwtClaims, policy: TokenPolicy): void {
  const lifetime = claims.exp - claims.iat;
  if (lifetime > policy.lifetimeMaxSeconds) {
    throw new TokenError(
      "token_lifetime_too_long",
      `token lives ${lifetime} s, at most ${policy.lifetimeMaxSeconds} s are allowed`,
      { lifetime, lifetimeMax: policy.lifetimeMaxSeconds },
    );
  }
}

function checkAudience(claims: JwtClaims, context: VerificationContext): void {
  if (claims.aud === context.audience) return;
  throw new TokenError("token_audience_mismatch", "the audience is not this project", {
    aud: claims.aud.slice(0, textShownMax),
    project: context.audience,
  });
}

function checkSubject(claims: JwtClaims, context: VerificationContext): void {
  if (claims.sub === undefined) {
    if (context.policy.subject !== "required-from-own-agents" || !context.ownAgent) return;
    throw new TokenError("token_subject_missing", "the token does not say which device it speaks for");
  }
  if (context.devicePaths.includes(claims.sub)) return;
  throw new TokenError("token_subject_mismatch", "the token speaks for another device", {
    sub: claims.sub.slice(0, textShownMax),
  });
}

// Long enough for every project id; a name of a device is cut, which still shows where it points.
const textShownMax = 128;

function admissibleDevice(
  parts: JwsParts,
  header: JoseHeader,
  claims: JwtClaims,
  context: VerificationContext,
  verifier: SignatureVerifier,
): DeviceFacts {
  const { device } = context;
  const refusal = findDeviceRefusal(device, claims);
  if (device !== undefined && refusal === undefined) return device;
  // As much work as for a device that is admissible: for a signature of the wrong form that is none.
  const { signature, signingInput } = parts;
  if (findMalformation(header.alg, signature) === undefined) {
    verifier.verifyDummy(header.alg, signingInput, signature);
  }
  throw refusal ?? new TokenError("device_unknown", "the registry has no such device");
}

function findDeviceRefusal(device: DeviceFacts | undefined, claims: JwtClaims): TokenError | undefined {
  if (device === undefined) return undefined;
  if (device.blocked) return new TokenError("device_blocked", "the device is blocked");
  const since = device.tokensNotBeforeSeconds;
  if (since === undefined || claims.iat >= since) return undefined;
  return new TokenError("token_superseded", "the token is older than the device's tokens may be", {
    iat: claims.iat,
    tokensNotBefore: since,
  });
}

function findVerifyingKey(
  parts: JwsParts,
  header: JoseHeader,
  device: DeviceFacts,
  context: VerificationContext,
  verifier: SignatureVerifier,
): CandidateKey {
  const { alg } = header;
  const { signature, signingInput } = parts;
  const malformation = findMalformation(alg, signature);
  if (malformation !== undefined) {
    throw new TokenError("token_signature_malformed", `the signature has the wrong form: ${malformation}`, {
      alg,
      because: malformation,
    });
  }
  const { verifying, refused } = keysToTry(device.keys, {
    alg,
    kid: header.kid,
    lastKeyId: device.lastKeyId,
    now: context.now,
    policy: context.policy,
  });
  for (const key of verifying) {
    if (verifier.verify(alg, key.handle, signingInput, signature)) return key;
  }
  for (const { key, because } of refused) {
    if (!verifier.verify(alg, key.handle, signingInput, signature)) continue;
    throw new TokenError(
      because,
      `the key that signed may not verify: ${because}`,
      { keyId: key.keyId },
      "authentic",
    );
  }
  if (verifying.length > 0) {
    throw new TokenError("token_signature_invalid", "no key of the device made this signature", {
      keysTried: verifying.length,
    });
  }
  if (refused.length === 0) verifier.verifyDummy(alg, signingInput, signature);
  throw new TokenError("key_none", `the device has no key that may verify ${alg}`, { alg });
}

function findMalformation(
  alg: TokenAlgorithm,
  signature: Uint8Array,
): "length" | "der" | "range" | undefined {
  if (alg === "ES256") return findEs256Malformation(signature);
  // An RSA signature is as long as the modulus, which only the verifier knows.
  return signature.length === 0 ? "length" : undefined;
}
