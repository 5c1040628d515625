/**
 * The verifier of one attempt: core asks it for signatures, and afterwards it can tell what was done.
 *
 * It stands between core's verification and the keys, and so is the one place that knows which key signed, what
 * work was spent, that a token seen before needs none, and that no more may be spent on this peer.
 */
import { type SignatureVerifier, type TokenAlgorithm, TokenError } from "@mayfly/core/token";
import type { KeyRecord } from "../registry/model.ts";
import type { KeyCache } from "./key-cache.ts";

export class TokenWitness implements SignatureVerifier {
  /** The key that signed, whether or not it may verify. */
  signer: KeyRecord | undefined;
  /** Was a signature checked against a key of the device, against nobody's, or not at all? */
  work: "none" | "dummy" | "key" = "none";
  readonly #keys: KeyCache;
  readonly #knownFingerprint: string | undefined;
  readonly #mayCheck: boolean;

  /**
   * @param knownFingerprint the key that verified this very token before.
   * @param mayCheck may a curve operation be spent?
   */
  constructor(keys: KeyCache, knownFingerprint: string | undefined, mayCheck: boolean) {
    this.#keys = keys;
    this.#knownFingerprint = knownFingerprint;
    this.#mayCheck = mayCheck;
  }

  verify(alg: TokenAlgorithm, handle: unknown, signingInput: Uint8Array, signature: Uint8Array): boolean {
    const key = handle as KeyRecord;
    if (key.fingerprint === this.#knownFingerprint) {
      this.signer = key;
      return true;
    }
    // A token known by another key of this device must not be refused for the key that is tried before it.
    if (!this.#mayCheck && this.#knownFingerprint !== undefined) return false;
    this.#refuseBeyondLimit();
    this.work = "key";
    if (!this.#keys.verify(alg, key, signingInput, signature)) return false;
    this.signer = key;
    return true;
  }

  verifyDummy(alg: TokenAlgorithm, signingInput: Uint8Array, signature: Uint8Array): void {
    this.#refuseBeyondLimit();
    if (this.work === "none") this.work = "dummy";
    this.#keys.verifyDummy(alg, signingInput, signature);
  }

  #refuseBeyondLimit(): void {
    if (this.#mayCheck) return;
    throw new TokenError("failure_limit", "too many failures from this source: no signature is checked");
  }
}
