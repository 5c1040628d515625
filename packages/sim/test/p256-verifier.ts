/**
 * Signatures and keys for the bridge under simulation: real P-256 by `node:crypto`, nothing remembered, no RSA and no
 * certificates.
 *
 * The host's verifier would bring the whole server with it, listeners and files included.
 */
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, verify } from "node:crypto";
import { type ImportedKey, KeyParseError, type KeyParser, type KeyVerifier } from "@mayfly/server";

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

export const p256KeyParser: KeyParser = {
  parseKey(_format, pem) {
    let key: KeyObject;
    try {
      key = createPublicKey(pem);
    } catch {
      throw new KeyParseError("key_pem_malformed", "no public key could be read");
    }
    const spki = key.export({ format: "der", type: "spki" });
    return { alg: "ES256", fingerprint: createHash("sha256").update(spki).digest("hex") };
  },
  parseCertificate() {
    throw new KeyParseError("certificate_malformed", "there are no certificates here");
  },
  isIssuedBy: () => false,
};
