/**
 * Why a device token is refused: a closed set of codes, for the log and for the operator.
 *
 * What the peer is told is much less, and in another file: `refusal-on-wire.ts`.
 */

export type TokenErrorCode =
  // Its form.
  | "token_too_large"
  | "token_malformed"
  | "token_header_unsupported"
  | "token_algorithm_unsupported"
  | "token_claims_malformed"
  // Its times.
  | "token_from_future"
  | "token_not_yet_valid"
  | "token_lifetime_too_long"
  | "token_expired"
  // Whom it is for, and whom it speaks of.
  | "token_audience_mismatch"
  | "token_subject_missing"
  | "token_subject_mismatch"
  | "device_unknown"
  | "device_blocked"
  | "token_superseded"
  // Its signature.
  | "key_none"
  | "key_pending"
  | "key_expired"
  | "key_retired"
  | "key_revoked"
  | "token_signature_malformed"
  | "token_signature_invalid"
  // Nobody looked: too many checks were spent in vain on where it came from.
  | "failure_limit";

/** Did a key of this device sign the refused token? */
export type Authenticity = "authentic" | "unauthenticated";

/** A device token was refused. `code` is stable and public; `message` is for people and may change. */
export class TokenError extends Error {
  override readonly name = "TokenError";
  readonly code: TokenErrorCode;
  /** Facts an operator needs, fit for a log: never the token, a key or a signature. */
  readonly facts: Readonly<Record<string, string | number>>;
  /**
   * Known where the signature was checked although the token is refused: time alone failed, or the key
   * that signed may not verify. Only an authentic refusal may feed clock health, alarms or allowances.
   */
  readonly authenticity?: Authenticity;

  constructor(
    code: TokenErrorCode,
    message: string,
    facts: TokenError["facts"] = {},
    authenticity?: Authenticity,
  ) {
    super(message);
    this.code = code;
    this.facts = facts;
    if (authenticity !== undefined) this.authenticity = authenticity;
  }
}
