/**
 * The port through which the bridge checks signatures: synchronous, and keys are imported apart from their use.
 *
 * An import costs a quarter of a verification, so handles are kept (`key-cache.ts`) and made only when a
 * signature is really to be checked with them. Adapter on Node: `host/node-key-verifier.ts`.
 */
import type { TokenAlgorithm } from "@mayfly/core/token";

/** The PEM is no key, or no key of that algorithm. The message says why and never quotes the PEM. */
export class KeyImportError extends Error {
  override readonly name = "KeyImportError";
  readonly code = "key_malformed";
}

/** What an adapter makes of a PEM. Opaque: only the adapter that made it looks inside. */
export type ImportedKey = object;

export interface KeyVerifier {
  /**
   * @param pem SubjectPublicKeyInfo or X.509 certificate, PEM.
   * @throws {KeyImportError} not a P-256 key (ES256) or not an RSA key of at least 2048 bits (RS256).
   */
  importKey(pem: string, alg: TokenAlgorithm): ImportedKey;
  /** Whether `signature` (JWS form: R‖S for ES256) of `signingInput` is this key's. Never throws. */
  verify(alg: TokenAlgorithm, key: ImportedKey, signingInput: Uint8Array, signature: Uint8Array): boolean;
  /** The work of one verification with nobody's key, so that an unknown device takes as long as a known one. */
  verifyDummy(alg: TokenAlgorithm, signingInput: Uint8Array, signature: Uint8Array): void;
}
