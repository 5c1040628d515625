/**
 * Claims of a device token: their types, and the questions about time.
 *
 * Times are whole seconds from 0 to 999,999,999,999,999. RFC 7519 allows fractions; no device needs them,
 * Cloud IoT Core's documents say seconds, and a float in `exp` is a sign of a library gone wrong.
 * Claims we do not know are ignored (RFC 7519 §4).
 */
import type { NumericDate } from "../host.ts";
import type { JsonMembers } from "./json-object.ts";
import type { TokenPolicy } from "./policy.ts";
import { TokenError, type TokenErrorCode } from "./token-error.ts";

export interface JwtClaims {
  /** The project. */
  readonly aud: string;
  readonly iat: NumericDate;
  readonly exp: NumericDate;
  /** Present only where the policy honours it. */
  readonly nbf?: NumericDate;
  /** The device's name, `projects/…/devices/…`. */
  readonly sub?: string;
  /** By how many seconds `iat` was backdated for the uncertainty of the device's clock. Ours. */
  readonly u?: number;
}

/** Latest time a token may name: 15 digits, well inside a double. */
export const numericDateMax = 999_999_999_999_999;
/** Longest digit string taken for a time. */
const digitsMax = 15;

/** What was forgiven a token; see {@link TokenPolicy}. */
export type Leniency = "padded_base64" | "standard_alphabet" | "digit_string_times";

/**
 * @param leniencies Receives `digit_string_times` where that was needed.
 * @throws {TokenError} `token_claims_malformed`: a claim is missing, of another type or out of range, or
 *   `exp` does not lie after `iat`.
 */
export function readClaims(
  members: JsonMembers,
  policy: Pick<TokenPolicy, "digitStringTimes" | "honourNotBefore">,
  leniencies: Leniency[],
): JwtClaims {
  const aud = members.get("aud");
  if (typeof aud !== "string") {
    throw malformed("aud", aud === undefined ? "is missing" : "must be one string: the project");
  }
  const sub = members.get("sub");
  if (sub !== undefined && typeof sub !== "string") throw malformed("sub", "must be a string");
  const iat = readTime(members, "iat", policy, leniencies);
  const exp = readTime(members, "exp", policy, leniencies);
  if (exp <= iat) throw malformed("exp", "must be after iat");
  const nbf =
    policy.honourNotBefore && members.has("nbf") ? readTime(members, "nbf", policy, leniencies) : undefined;
  const u = members.get("u");
  return {
    aud,
    iat,
    exp,
    ...(nbf === undefined ? undefined : { nbf }),
    ...(sub === undefined ? undefined : { sub }),
    // A private claim: firmware of others may mean something else by it, so a strange one is no error.
    ...(typeof u === "number" && isTime(u) ? { u } : undefined),
  };
}

function readTime(
  members: JsonMembers,
  claim: "iat" | "exp" | "nbf",
  policy: Pick<TokenPolicy, "digitStringTimes">,
  leniencies: Leniency[],
): NumericDate {
  const value = members.get(claim);
  if (typeof value === "number") {
    if (isTime(value)) return value;
    throw malformed(claim, "must be a whole number of seconds, 0 or more, of at most 15 digits");
  }
  if (typeof value === "string" && policy.digitStringTimes && isDigits(value)) {
    if (!leniencies.includes("digit_string_times")) leniencies.push("digit_string_times");
    return Number(value);
  }
  throw malformed(claim, value === undefined ? "is missing" : "must be a number of seconds");
}

function isTime(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= numericDateMax;
}

function isDigits(text: string): boolean {
  if (text.length === 0 || text.length > digitsMax) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x30 || code > 0x39) return false;
  }
  return true;
}

function malformed(claim: string, rule: string): TokenError {
  return new TokenError("token_claims_malformed", `claim ${claim} ${rule}`, { claim });
}

/** A refusal that a wrong clock, ours or the device's, may have caused. */
export interface TimeFailure {
  readonly code: Extract<TokenErrorCode, "token_from_future" | "token_not_yet_valid" | "token_expired">;
  readonly message: string;
  readonly facts: Readonly<Record<string, number>>;
}

/** Does the token come from the future, as far as skew does not forgive it? */
export function findFutureFailure(
  claims: JwtClaims,
  policy: Pick<TokenPolicy, "skewSeconds">,
  now: NumericDate,
): TimeFailure | undefined {
  const latest = now + policy.skewSeconds;
  const { iat, nbf } = claims;
  if (iat > latest) {
    const early = iat - now;
    return {
      code: "token_from_future",
      message: `token issued ${early} s in the future`,
      facts: { iat, now, early },
    };
  }
  if (nbf !== undefined && nbf > latest) {
    const early = nbf - now;
    return {
      code: "token_not_yet_valid",
      message: `token not valid for another ${early} s`,
      facts: { nbf, now, early },
    };
  }
  return undefined;
}

/** Is the token past its deadline, `exp` and grace? */
export function findExpiry(
  claims: JwtClaims,
  policy: Pick<TokenPolicy, "graceSeconds">,
  now: NumericDate,
): TimeFailure | undefined {
  const { exp } = claims;
  if (now < exp + policy.graceSeconds) return undefined;
  const late = now - exp;
  return { code: "token_expired", message: `token expired ${late} s ago`, facts: { exp, now, late } };
}
