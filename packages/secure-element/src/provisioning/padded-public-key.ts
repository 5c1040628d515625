/**
 * A public key as a 72-byte slot keeps it: four zero bytes, X, four zero bytes, Y (atecc608.md §2.1).
 */
import { ProvisioningError } from "./provisioning-error.ts";

/** @param publicKey X‖Y, 64 bytes. @returns 72 bytes. @throws {ProvisioningError} `certificate_malformed`. */
export function padPublicKey(publicKey: Uint8Array): Uint8Array {
  if (publicKey.length !== 64) throw malformedKey();
  const padded = new Uint8Array(72);
  padded.set(publicKey.subarray(0, 32), 4);
  padded.set(publicKey.subarray(32, 64), 40);
  return padded;
}

/** @param padded 72 bytes. @returns X‖Y, 64 bytes. @throws {ProvisioningError} `certificate_malformed`. */
export function unpadPublicKey(padded: Uint8Array): Uint8Array {
  const zeros = [...padded.subarray(0, 4), ...padded.subarray(36, 40)];
  if (padded.length !== 72 || zeros.some((byte) => byte !== 0)) throw malformedKey();
  return Uint8Array.from([...padded.subarray(4, 36), ...padded.subarray(40, 72)]);
}

function malformedKey(): ProvisioningError {
  return new ProvisioningError("certificate_malformed", "this is no padded P-256 public key");
}
