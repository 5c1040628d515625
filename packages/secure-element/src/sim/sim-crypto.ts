/**
 * What the simulated chip asks of its host: SHA-256, P-256 and randomness.
 *
 * The simulator imitates a chip's bytes and states; the mathematics is the platform's. Private keys pass through
 * here in clear, because they are the keys of a simulated chip: nothing real may depend on their secrecy.
 */

/** A SHA-256 in progress. */
export interface RunningSha256 {
  update(bytes: Uint8Array): void;
  /** The digest of all bytes so far, 32 bytes; may be called once, and ends this hash. */
  digest(): Uint8Array;
  /** The same progress again, independent from now on. */
  copy(): RunningSha256;
}

export interface SimCrypto {
  /** Bytes nobody can guess. Called only where the simulator was given no seed. */
  randomBytes(length: number): Uint8Array;
  startSha256(): RunningSha256;
  /** @param privateKey 32 bytes, big-endian. @returns X‖Y, 64 bytes; undefined where the number is 0 or not below the group's order. */
  publicKeyOf(privateKey: Uint8Array): Uint8Array | undefined;
  /** Whether X‖Y (64 bytes) is a point of P-256. */
  isPublicKey(publicKey: Uint8Array): boolean;
  /**
   * ECDSA over P-256 with the given per-signature secret.
   * @param k 32 bytes. @returns R‖S, 64 bytes, S not normalised; undefined where `k` or the key will not do.
   */
  signDigest(privateKey: Uint8Array, digest: Uint8Array, k: Uint8Array): Uint8Array | undefined;
  /** @param publicKey X‖Y of a point of the curve. @param signature R‖S. */
  verifyDigest(publicKey: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean;
}

/** @returns SHA-256 of the parts, one after the other, 32 bytes. */
export function sha256Of(crypto: SimCrypto, parts: readonly Uint8Array[]): Uint8Array {
  const hash = crypto.startSha256();
  for (const part of parts) hash.update(part);
  return hash.digest();
}
