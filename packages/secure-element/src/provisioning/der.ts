/**
 * As much DER (X.690) as a certificate template needs: elements with definite lengths, and P-256 signatures.
 *
 * No general reader. It walks certificates we or the vendor's tools made; anything unexpected is a typed error.
 */
import { ProvisioningError } from "./provisioning-error.ts";

export interface DerElement {
  readonly tag: number;
  /** Offset of the tag, of the content, and of what follows. */
  readonly at: number;
  readonly contentAt: number;
  readonly end: number;
}

export const derTags = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const;

/** @throws {ProvisioningError} `certificate_malformed`: no whole element there. */
export function readElement(bytes: Uint8Array, at: number, limit = bytes.length): DerElement {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined) throw malformed(at);
  let length = first;
  let contentAt = at + 2;
  if (first >= 0x80) {
    const lengthBytes = first & 0x7f;
    // Certificates are short: two bytes of length are plenty, and the indefinite form is no DER.
    if (lengthBytes < 1 || lengthBytes > 2) throw malformed(at);
    length = 0;
    for (let i = 0; i < lengthBytes; i++) length = (length << 8) | (bytes[contentAt + i] ?? 0);
    contentAt += lengthBytes;
  }
  const end = contentAt + length;
  if (end > limit || end > bytes.length) throw malformed(at);
  return { tag, at, contentAt, end };
}

/** The elements inside another. @throws {ProvisioningError} `certificate_malformed`. */
export function readChildren(bytes: Uint8Array, parent: DerElement): readonly DerElement[] {
  const children: DerElement[] = [];
  let at = parent.contentAt;
  while (at < parent.end) {
    const child = readElement(bytes, at, parent.end);
    children.push(child);
    at = child.end;
  }
  return children;
}

/** @returns Tag, length and content. @param content Below 65,536 bytes. */
export function encodeElement(tag: number, ...content: readonly Uint8Array[]): Uint8Array {
  const length = content.reduce((sum, part) => sum + part.length, 0);
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff];
  const bytes = new Uint8Array(head.length + length);
  bytes.set(head, 0);
  let at = head.length;
  for (const part of content) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** ECDSA-Sig-Value (RFC 3279 §2.2.3) of R‖S, 64 bytes: minimal, positive INTEGERs. */
export function encodeDerSignature(signature: Uint8Array): Uint8Array {
  return encodeElement(
    derTags.sequence,
    encodeUnsigned(signature.subarray(0, 32)),
    encodeUnsigned(signature.subarray(32, 64)),
  );
}

function encodeUnsigned(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const minimal = bytes.subarray(start);
  const isNegative = (minimal[0] ?? 0) >= 0x80;
  return encodeElement(derTags.integer, Uint8Array.from(isNegative ? [0, ...minimal] : minimal));
}

export function malformed(at: number): ProvisioningError {
  return new ProvisioningError("certificate_malformed", `no DER as expected at byte ${at}`, { at });
}
