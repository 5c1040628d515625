/**
 * What the registry refuses, in a closed set of codes.
 *
 * Messages are for people and name ids, counts and limits; never a key, a token or a signature.
 */
export type RegistryErrorCode =
  /** A value breaks a rule that does not depend on what is stored. */
  | "argument_invalid"
  | "not_found"
  | "already_exists"
  /** The value is fine, the present state of things does not allow it. */
  | "precondition_failed"
  /** A device credential no registry certificate vouches for. */
  | "credential_not_vouched";

/** The registry refused; nothing was changed. `code` is stable and public. */
export class RegistryError extends Error {
  override readonly name = "RegistryError";
  readonly code: RegistryErrorCode;

  constructor(code: RegistryErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
