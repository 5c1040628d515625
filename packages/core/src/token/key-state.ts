/**
 * Key states, and which of a device's keys may verify a token now, in which order they are tried.
 *
 * | state    | verifies                                      |
 * |----------|-----------------------------------------------|
 * | pending  | yes, unless the policy refuses pending keys   |
 * | active   | yes                                           |
 * | retiring | until its date                                |
 * | retired  | no; a token it signed is refused by that name |
 * | revoked  | never; and that is an alarm                   |
 *
 * A key past its expiration time verifies nothing, whatever its state.
 */
import type { NumericDate } from "../host.ts";
import type { TokenPolicy } from "./policy.ts";
import type { TokenErrorCode } from "./token-error.ts";

export type KeyState = "pending" | "active" | "retiring" | "retired" | "revoked";

/** RFC 7518 §3.1: ECDSA P-256 or RSASSA-PKCS1-v1_5, both with SHA-256. */
export type TokenAlgorithm = "ES256" | "RS256";

/** One of a device's keys on record. */
export interface CandidateKey {
  readonly keyId: string;
  /** The one algorithm it serves; a token of another is never checked against it. */
  readonly alg: TokenAlgorithm;
  readonly state: KeyState;
  /** From this instant on it verifies nothing. A `retiring` key has one; should it be missing, it is retired. */
  readonly expiresAtSeconds?: NumericDate;
  /** The public key as the verifier wants it; opaque here. */
  readonly handle: unknown;
}

/** Most keys of a device that may verify, and so the most tried for one token. */
export const verifyingKeysMax = 3;
/** Most keys that may not verify which are tried, to tell the operator that one of them signed. */
export const refusedKeysTriedMax = 3;

/** May a key in this state verify, its expiration time aside? */
export function mayVerify(state: KeyState, policy: Pick<TokenPolicy, "pendingKeys">): boolean {
  switch (state) {
    case "active":
    case "retiring":
      return true;
    case "pending":
      return policy.pendingKeys === "verify";
    case "retired":
    case "revoked":
      return false;
  }
}

/** Why a key may not verify; a subset of the token errors. */
export type KeyRefusal = Extract<
  TokenErrorCode,
  "key_pending" | "key_expired" | "key_retired" | "key_revoked"
>;

/** @returns `undefined` when the key may verify at `now`. Revoked and retired go before expired. */
export function findKeyRefusal(
  key: Pick<CandidateKey, "state" | "expiresAtSeconds">,
  policy: Pick<TokenPolicy, "pendingKeys">,
  now: NumericDate,
): KeyRefusal | undefined {
  if (key.state === "revoked") return "key_revoked";
  if (key.state === "retired") return "key_retired";
  // Retiring means "until its date". Where the date was lost, for ever would be the wrong guess.
  if (key.state === "retiring" && key.expiresAtSeconds === undefined) return "key_retired";
  if (key.expiresAtSeconds !== undefined && now >= key.expiresAtSeconds) return "key_expired";
  return mayVerify(key.state, policy) ? undefined : "key_pending";
}

/** A device's keys of one algorithm, in the order to try them. */
export interface KeysToTry {
  /** May verify: at most {@link verifyingKeysMax}. */
  readonly verifying: readonly CandidateKey[];
  /** May not, and why: at most {@link refusedKeysTriedMax}, revoked ones first since they are an alarm. */
  readonly refused: readonly { readonly key: CandidateKey; readonly because: KeyRefusal }[];
}

/**
 * Sorts a device's keys: the one the token names (`kid`) first, then the one that verified last, then the
 * order on record. A `kid` is a hint: a wrong one costs time, not admission.
 */
export function keysToTry(
  keys: readonly CandidateKey[],
  wanted: {
    readonly alg: TokenAlgorithm;
    readonly kid: string | undefined;
    readonly lastKeyId: string | undefined;
    readonly now: NumericDate;
    readonly policy: Pick<TokenPolicy, "pendingKeys">;
  },
): KeysToTry {
  const verifying: CandidateKey[] = [];
  const refused: { key: CandidateKey; because: KeyRefusal }[] = [];
  for (const key of keys) {
    if (key.alg !== wanted.alg) continue;
    const because = findKeyRefusal(key, wanted.policy, wanted.now);
    if (because === undefined) verifying.push(key);
    else refused.push({ key, because });
  }
  const rank = (key: CandidateKey) => (key.keyId === wanted.kid ? 0 : key.keyId === wanted.lastKeyId ? 1 : 2);
  if (verifying.length > 1) verifying.sort((a, b) => rank(a) - rank(b));
  if (refused.length > 1) {
    const alarm = (entry: { because: KeyRefusal }) => (entry.because === "key_revoked" ? 0 : 3);
    refused.sort((a, b) => alarm(a) + rank(a.key) - (alarm(b) + rank(b.key)));
  }
  return {
    verifying: verifying.length > verifyingKeysMax ? verifying.slice(0, verifyingKeysMax) : verifying,
    refused: refused.length > refusedKeysTriedMax ? refused.slice(0, refusedKeysTriedMax) : refused,
  };
}
