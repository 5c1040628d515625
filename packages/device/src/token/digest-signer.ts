/**
 * Both shapes of signer as one: a signer of digests, with the hash that goes before it.
 *
 * A signer of messages hashes by itself: for it the whole signing input takes the digest's place.
 */
import type { Es256Signer, Sha256 } from "@mayfly/core";
import type { AgentSigner } from "../ports.ts";

export function digestSigner(
  signer: AgentSigner,
  sha256: Sha256,
): { readonly signer: Es256Signer; readonly sha256: Sha256 } {
  if ("signDigest" in signer) return { signer, sha256 };
  const whole = { keyId: signer.keyId, signDigest: (message: Uint8Array) => signer.signMessage(message) };
  return { signer: whole, sha256: { digest: (message) => message } };
}
