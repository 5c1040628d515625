/**
 * Key files and the platform's ECDSA and RSA, for the commands that mint, verify and register.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign,
  verify,
  X509Certificate,
} from "node:crypto";
import type { Sha256 } from "@mayfly/core";
import type { PublicKeyFormat } from "@mayfly/core/admin";
import type { SignatureVerifier } from "@mayfly/core/token";
import { CommandFailure } from "../failure.ts";
import { readText } from "./files.ts";

/** A public key as a registry takes it. */
export interface PublicKeyFile {
  readonly pem: string;
  readonly format: PublicKeyFormat;
  readonly alg: "ES256" | "RS256";
  readonly key: KeyObject;
}

/** SubjectPublicKeyInfo of a P-256 key before its point: 04, X, Y (RFC 5480 §2). */
const p256SpkiHead = Buffer.from("3059301306072a8648ce3d020106082a8648ce3d030107034200", "hex");

/**
 * A key as a chip gives it.
 *
 * @param point X‖Y, 64 bytes.
 * @throws {CommandFailure} key_unusable: no point of P-256.
 */
export function publicKeyOfPoint(point: Uint8Array): {
  readonly key: KeyObject;
  readonly pem: string;
  readonly keyId: string;
} {
  let key: KeyObject;
  try {
    key = createPublicKey({
      key: Buffer.concat([p256SpkiHead, Buffer.of(0x04), point]),
      format: "der",
      type: "spki",
    });
  } catch (error) {
    throw new CommandFailure("key_unusable", "the chip's public key is no point of P-256", { cause: error });
  }
  return {
    key,
    pem: key.export({ type: "spki", format: "pem" }).toString(),
    keyId: fingerprintOf(key).slice(0, 16),
  };
}

/** A device key in a file of this machine. */
export interface PrivateKeyFile {
  readonly keyId: string;
  /** @returns R‖S, 64 bytes, over SHA-256 of the signing input (RFC 7518 §3.4). */
  sign(signingInput: Uint8Array): Uint8Array;
}

/**
 * Reads a P-256 private key, SEC 1 (`EC PRIVATE KEY`, with or without the `EC PARAMETERS` that openssl writes
 * before it) or PKCS#8 PEM.
 *
 * @throws {CommandFailure} file_unreadable or key_unusable.
 */
export async function readPrivateKey(file: string): Promise<PrivateKeyFile> {
  const key = parsePrivateKey(await readText(file), file);
  return {
    // The name a registry gives a key unless told otherwise.
    keyId: fingerprintOf(createPublicKey(key)).slice(0, 16),
    sign: (signingInput) => sign("sha256", signingInput, { key, dsaEncoding: "ieee-p1363" }),
  };
}

function parsePrivateKey(pem: string, file: string): KeyObject {
  let key: KeyObject;
  try {
    // `openssl ecparam -genkey` puts the curve's parameters in a PEM block of their own before the key.
    key = createPrivateKey(
      pem.replace(/-----BEGIN EC PARAMETERS-----[^-]*-----END EC PARAMETERS-----\s*/, ""),
    );
  } catch (error) {
    const encrypted = pem.includes("ENCRYPTED");
    throw new CommandFailure(
      "key_unusable",
      encrypted
        ? `${file} is encrypted; decrypt it first (openssl pkey -in ${file})`
        : `${file} holds no private key in PEM (openssl ecparam -name prime256v1 -genkey -noout makes one)`,
      { cause: error },
    );
  }
  if (key.asymmetricKeyType !== "ec" || key.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
    throw new CommandFailure(
      "key_unusable",
      `${file} holds ${nameOf(key)}; a device key is EC on the curve P-256`,
    );
  }
  return key;
}

/** Reads a public key or certificate in PEM. @throws {CommandFailure} file_unreadable or key_unusable. */
export async function readPublicKey(file: string): Promise<PublicKeyFile> {
  return parsePublicKey(await readText(file), file);
}

/** @param name what holds it, for the failure's sentence. @throws {CommandFailure} key_unusable. */
export function parsePublicKey(pem: string, name: string): PublicKeyFile {
  const isCertificate = pem.includes("-----BEGIN CERTIFICATE-----");
  if (pem.includes("PRIVATE KEY-----")) {
    throw new CommandFailure(
      "key_unusable",
      `${name} holds a private key; a registry only takes the public half`,
    );
  }
  let key: KeyObject;
  try {
    key = isCertificate ? new X509Certificate(pem).publicKey : createPublicKey(pem);
  } catch (error) {
    throw new CommandFailure("key_unusable", `${name} holds no public key or certificate in PEM`, {
      cause: error,
    });
  }
  if (key.asymmetricKeyType === "ec" && key.asymmetricKeyDetails?.namedCurve === "prime256v1") {
    return { pem, key, alg: "ES256", format: isCertificate ? "ES256_X509_PEM" : "ES256_PEM" };
  }
  if (key.asymmetricKeyType === "rsa") {
    return { pem, key, alg: "RS256", format: isCertificate ? "RSA_X509_PEM" : "RSA_PEM" };
  }
  throw new CommandFailure("key_unusable", `${name} holds ${nameOf(key)}; keys are EC P-256 or RSA`);
}

/** SHA-256 of the SubjectPublicKeyInfo, hexadecimal. */
export function fingerprintOf(publicKey: KeyObject): string {
  return createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("hex");
}

export const platformSha256: Sha256 = {
  digest: (bytes) => Uint8Array.from(createHash("sha256").update(bytes).digest()),
};

/** Verifies with the platform; a candidate key's handle is a KeyObject. */
export const platformVerifier: SignatureVerifier = {
  verify(alg, handle, signingInput, signature) {
    const key = handle as KeyObject;
    return alg === "ES256"
      ? verify("sha256", signingInput, { key, dsaEncoding: "ieee-p1363" }, signature)
      : verify("sha256", signingInput, key, signature);
  },
  // On the command line there is nobody to hide timing from.
  verifyDummy() {},
};

function nameOf(key: KeyObject): string {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  return curve === undefined ? `a key of type ${key.asymmetricKeyType}` : `an EC key on the curve ${curve}`;
}
