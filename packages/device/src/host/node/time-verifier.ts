/**
 * Signatures of signed time, checked by Node's own cryptography: for machines without a chip.
 */
import { createPublicKey, verify } from "node:crypto";
import type { MessageVerifier } from "@mayfly/core/time-answer";

/** Throws with the platform's error for a public key that is no point of P-256. */
export const nodeTimeVerifier: MessageVerifier = {
  verifyMessage(publicKey, message, signature) {
    const coordinate = (at: number) =>
      Buffer.from(publicKey.buffer, publicKey.byteOffset + at, 32).toString("base64url");
    const key = createPublicKey({
      key: { kty: "EC", crv: "P-256", x: coordinate(0), y: coordinate(32) },
      format: "jwk",
    });
    return verify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, signature);
  },
};
