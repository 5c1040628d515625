/**
 * The form of an ES256 signature: R‖S, 32 bytes each, both in 1 to n - 1 (RFC 7518 §3.4, FIPS 186-5 §6.4.2).
 *
 * Checked here and not left to the platform: libraries have been known to forget it, and r = s = 0 then
 * passes for any message under any key (CVE-2022-21449).
 */

import { hexDecode } from "../bytes.ts";

/** Length of R‖S for P-256. */
export const es256SignatureBytes = 64;

// Order n of the P-256 base point (FIPS 186-5, SEC 2 §2.4.2), a character a byte: a preloaded module must
// not hold a mutable array (XS).
const order = textOfHex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");

function textOfHex(hex: string): string {
  return String.fromCharCode(...hexDecode(hex));
}

/** @returns Why it cannot be a signature, or `undefined` when it can. */
export function findEs256Malformation(signature: Uint8Array): "length" | "der" | "range" | undefined {
  if (signature.length !== es256SignatureBytes) {
    // ASN.1 SEQUENCE whose length fits: what most libraries give when not asked for R‖S.
    return signature[0] === 0x30 && signature[1] === signature.length - 2 ? "der" : "length";
  }
  return isInRange(signature, 0) && isInRange(signature, 32) ? undefined : "range";
}

/** Public values: no need for constant time. */
function isInRange(bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < 32; i++) {
    const byte = bytes[start + i] ?? 0;
    const limit = order.charCodeAt(i);
    if (byte > limit) return false;
    if (byte < limit) return isNotZero(bytes, start);
  }
  return false;
}

function isNotZero(bytes: Uint8Array, start: number): boolean {
  for (let i = start; i < start + 32; i++) {
    if (bytes[i] !== 0) return true;
  }
  return false;
}
