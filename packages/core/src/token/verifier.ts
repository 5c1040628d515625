/**
 * Port: checks a signature, synchronously, so that the simulator and the bridge run the same steps.
 */
import type { TokenAlgorithm } from "./key-state.ts";

export interface SignatureVerifier {
  /**
   * @param handle A public key as {@link CandidateKey.handle} carries it.
   * @param signingInput ASCII of header and payload with the dot between (RFC 7515 §5.2).
   * @param signature For ES256 R‖S, 64 bytes, both in 1 to n - 1, checked before; for RS256 of any length.
   * @returns Is it good? `false` also for a key of another kind or curve. Never throws for what a peer sent.
   */
  verify(alg: TokenAlgorithm, handle: unknown, signingInput: Uint8Array, signature: Uint8Array): boolean;
  /** Does the work of one `verify` where there is no key, so that time does not tell which devices exist. */
  verifyDummy(alg: TokenAlgorithm, signingInput: Uint8Array, signature: Uint8Array): void;
}
