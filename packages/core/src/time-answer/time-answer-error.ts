/**
 * Refusals of signed time: one closed set for what is asked, delegated and answered.
 */
export type TimeAnswerErrorCode =
  /** The request is not what {@link encodeTimeRequest} makes: another length, another prefix, padding that is not zero. */
  | "time_request_malformed"
  /** The delegation has another length or prefix, an instant out of range, or ends before it begins. */
  | "time_delegation_malformed"
  /** It delegates for more than 30 days. */
  | "time_delegation_too_long"
  /** No pinned root has signed it. */
  | "time_delegation_signature_invalid"
  /** The answer has another length or prefix, or an instant out of range. */
  | "time_answer_malformed"
  /** It answers somebody else, or somebody's earlier question. */
  | "time_nonce_mismatch"
  /** The time told lies before the delegation's begin or after its end. */
  | "time_outside_delegation"
  /** Half the round trip and the radius are more than the caller wants to live with. */
  | "time_too_uncertain"
  /** The delegated key has not signed it. */
  | "time_signature_invalid";

/** Signed time was refused. `code` is stable; `message` is for people and may change. */
export class TimeAnswerError extends Error {
  override readonly name = "TimeAnswerError";
  readonly code: TimeAnswerErrorCode;
  /** Facts fit for a log: never a nonce, a key or a signature. */
  readonly facts: Readonly<Record<string, string | number>>;

  constructor(code: TimeAnswerErrorCode, message: string, facts: TimeAnswerError["facts"] = {}) {
    super(message);
    this.code = code;
    this.facts = facts;
  }
}
