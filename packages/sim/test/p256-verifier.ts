/**
 * Signatures for the bridge under simulation: real P-256 by `node:crypto`, nothing remembered, RS256 left out.
 *
 * The host's verifier would bring the whole server with it, listeners and files included.
 */
import { createPublicKey, generateKeyPairSync, type KeyObject, verify } from "node:crypto";
import type { ImportedKey, KeyVerifier } from "@mayfly/server";

export function createP256Verifier(): KeyVerifier {
  const nobody = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
  const check = (key: KeyObject, message: Uint8Array, signature: Uint8Array): boolean =>
    verify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, signature);
  return {
    importKey: (pem): ImportedKey => createPublicKey(pem),
    verify: (alg, key, message, signature) => alg === "ES256" && check(key as KeyObject, message, signature),
    verifyDummy: (_alg, message, signature) => {
      check(nobody, message, signature);
    },
  };
}
