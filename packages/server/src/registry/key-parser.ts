/**
 * Port: reads the public keys and certificates people register.
 *
 * The registry needs to know what a PEM holds before it believes it; cryptography is the platform's, so the
 * reading is an adapter's (`host/node-key-parser.ts`).
 */
import type { PublicKeyFormat } from "./model.ts";

export type KeyParseErrorCode =
  /** A private key was sent where a public one belongs. Its text is never kept or repeated. */
  | "key_private"
  | "key_too_large"
  | "key_pem_malformed"
  /** The PEM holds another thing than the format says. */
  | "key_format_mismatch"
  /** Neither EC P-256 nor RSA. */
  | "key_type_unsupported"
  /** RSA below 2048 bits. */
  | "key_too_small"
  | "certificate_malformed";

/** A PEM was refused. The message is a sentence for a person and never quotes the PEM. */
export class KeyParseError extends Error {
  override readonly name = "KeyParseError";
  readonly code: KeyParseErrorCode;

  constructor(code: KeyParseErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export interface ParsedKey {
  readonly alg: "ES256" | "RS256";
  /** SHA-256 of the SubjectPublicKeyInfo in DER, 64 lower-case hexadecimal digits. */
  readonly fingerprint: string;
  /** NumericDate of the certificate's notAfter; absent for a bare key. */
  readonly notAfterSeconds?: number;
}

/** What v1 shows of a registry's CA certificate. */
export interface ParsedCertificate {
  readonly issuer: string;
  readonly subject: string;
  readonly notBeforeSeconds: number;
  readonly notAfterSeconds: number;
  readonly signatureAlgorithm: string;
  readonly publicKeyType: string;
  readonly fingerprint: string;
}

export interface KeyParser {
  /** @param pem At most 16 KiB. @throws {KeyParseError} Nothing else, whatever the text. */
  parseKey(format: PublicKeyFormat, pem: string): ParsedKey;
  /** A CA certificate, X.509 PEM, RSA ≥ 2048 bits or P-256. @throws {KeyParseError} */
  parseCertificate(pem: string): ParsedCertificate;
  /** Whether `authorityPem` signed `certificatePem` directly; both were parsed before. */
  isIssuedBy(certificatePem: string, authorityPem: string): boolean;
}
