/**
 * Reads registered public keys and certificates with `node:crypto`.
 *
 * Strict on purpose: one PEM block of the very kind the format names, since OpenSSL left to itself takes a
 * private key for a public one, PKCS#1 for SubjectPublicKeyInfo, and the first of several blocks.
 */
import { createHash, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import {
  KeyParseError,
  type KeyParseErrorCode,
  type KeyParser,
  type ParsedKey,
} from "../registry/key-parser.ts";
import type { PublicKeyFormat } from "../registry/model.ts";

export const PEM_BYTES_MAX = 16 * 1024;
export const RSA_BITS_MIN = 2048;
/** Verification grows with the square of it, and each CONNECT pays. */
export const RSA_BITS_MAX = 8192;
/** SubjectPublicKeyInfo of a P-256 key with an uncompressed point (RFC 5480). */
const p256SpkiBytes = 91;
const rsaExponentMax = 2n ** 32n;

const expectations = {
  RSA_PEM: { alg: "RS256", label: "PUBLIC KEY" },
  RSA_X509_PEM: { alg: "RS256", label: "CERTIFICATE" },
  ES256_PEM: { alg: "ES256", label: "PUBLIC KEY" },
  ES256_X509_PEM: { alg: "ES256", label: "CERTIFICATE" },
} as const satisfies Record<PublicKeyFormat, { alg: ParsedKey["alg"]; label: string }>;

export function createNodeKeyParser(): KeyParser {
  return {
    parseKey(format, pem) {
      const { alg, label } = expectations[format];
      const der = readPem(pem, label);
      if (label === "CERTIFICATE") {
        const certificate = readCertificate(der);
        checkKey(certificate.publicKey, alg);
        return {
          alg,
          fingerprint: fingerprintOf(certificate.publicKey),
          notAfterSeconds: secondsOf(certificate.validToDate),
        };
      }
      const key = readPublicKey(der, alg);
      checkKey(key, alg);
      return { alg, fingerprint: fingerprintOf(key) };
    },

    parseCertificate(pem) {
      const certificate = readCertificate(readPem(pem, "CERTIFICATE"));
      const key = certificate.publicKey;
      checkKey(key, key.asymmetricKeyType === "rsa" ? "RS256" : "ES256");
      return {
        issuer: oneLine(certificate.issuer),
        subject: oneLine(certificate.subject),
        notBeforeSeconds: secondsOf(certificate.validFromDate),
        notAfterSeconds: secondsOf(certificate.validToDate),
        signatureAlgorithm: certificate.signatureAlgorithm ?? "",
        publicKeyType: key.asymmetricKeyType === "rsa" ? "RSA" : "EC",
        fingerprint: fingerprintOf(key),
      };
    },

    isIssuedBy(certificatePem, authorityPem) {
      const certificate = readCertificate(readPem(certificatePem, "CERTIFICATE"));
      const authority = readCertificate(readPem(authorityPem, "CERTIFICATE"));
      return certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
    },
  };
}

/** The DER of the one block, which must be of this kind. */
function readPem(pem: string, label: "PUBLIC KEY" | "CERTIFICATE"): Buffer {
  if (pem.includes("PRIVATE KEY")) {
    throw new KeyParseError(
      "key_private",
      "This is a private key. It was not kept; treat it as compromised and register the public key of another.",
    );
  }
  if (Buffer.byteLength(pem) > PEM_BYTES_MAX) {
    throw refusal("key_too_large", `A PEM has at most ${PEM_BYTES_MAX} bytes`);
  }
  const blocks = [...pem.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END ([A-Z0-9 ]+)-----/g)];
  const [block] = blocks;
  if (block === undefined || blocks.length > 1) {
    throw refusal("key_pem_malformed", `One PEM block 'BEGIN ${label}' is expected`);
  }
  const [, begin, body = "", end] = block;
  if (begin !== label || end !== label) {
    throw refusal("key_format_mismatch", `The format asks for 'BEGIN ${label}', the PEM holds '${begin}'`);
  }
  const base64 = body.replaceAll(/\s/g, "");
  const der = Buffer.from(base64, "base64");
  if (der.length === 0 || der.toString("base64") !== base64) {
    throw refusal("key_pem_malformed", "The PEM's base64 is malformed");
  }
  return der;
}

function readPublicKey(der: Buffer, alg: ParsedKey["alg"]): KeyObject {
  try {
    // Insisting on SubjectPublicKeyInfo refuses a PKCS#1 body in a PUBLIC KEY block, as Cloud IoT Core did.
    const key = createPublicKey({ key: der, format: "der", type: "spki" });
    if (isWholeSequence(der)) return key;
  } catch {
    // OpenSSL's reason may quote what it read.
  }
  throw refusal("key_pem_malformed", `Invalid ${alg} public key`);
}

function readCertificate(der: Buffer): X509Certificate {
  try {
    const certificate = new X509Certificate(der);
    // The key is read lazily: an odd one must fail here, not later.
    if (certificate.publicKey.type === "public") return certificate;
  } catch {
    // As above.
  }
  throw refusal("certificate_malformed", "Certificate is in an invalid PEM format");
}

/** Whether the outermost DER SEQUENCE spans all bytes: nothing hides behind it. */
function isWholeSequence(der: Buffer): boolean {
  const first = der[1] ?? 0;
  if (first < 0x80) return der.length === 2 + first;
  const lengthBytes = first & 0x7f;
  return (
    lengthBytes >= 1 && lengthBytes <= 4 && der.length === 2 + lengthBytes + der.readUIntBE(2, lengthBytes)
  );
}

function checkKey(key: KeyObject, alg: ParsedKey["alg"]): void {
  const details = key.asymmetricKeyDetails ?? {};
  if (alg === "ES256") {
    if (key.asymmetricKeyType === "ec" && details.namedCurve === "prime256v1") {
      // A compressed point would give the same key a second fingerprint, and a revoked key a second life.
      if (key.export({ format: "der", type: "spki" }).length === p256SpkiBytes) return;
      throw refusal("key_type_unsupported", "Invalid ES256 public key: an uncompressed point is expected");
    }
    throw refusal("key_type_unsupported", "Invalid ES256 public key: an EC key on P-256 is expected");
  }
  if (key.asymmetricKeyType !== "rsa") {
    throw refusal("key_type_unsupported", "Invalid RS256 public key: an RSA key is expected");
  }
  const bits = details.modulusLength ?? 0;
  if (bits < RSA_BITS_MIN)
    throw refusal("key_too_small", `An RSA key has at least ${RSA_BITS_MIN} bits, not ${bits}`);
  if (bits > RSA_BITS_MAX || (details.publicExponent ?? 0n) > rsaExponentMax) {
    throw refusal("key_too_large", `An RSA key has at most ${RSA_BITS_MAX} bits and a 32-bit exponent`);
  }
}

function fingerprintOf(key: KeyObject): string {
  return createHash("sha256")
    .update(key.export({ format: "der", type: "spki" }))
    .digest("hex");
}

function secondsOf(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}

function oneLine(name: string | undefined): string {
  return (name ?? "").replaceAll("\n", ", ");
}

function refusal(code: KeyParseErrorCode, message: string): KeyParseError {
  return new KeyParseError(code, `${message}.`);
}
