/**
 * The verification and signing ports of the core, over `node:crypto`, for tests and benchmarks.
 */
import {
  constants,
  createHash,
  createPublicKey,
  generateKeyPairSync,
  KeyObject,
  sign,
  type VerifyKeyObjectInput,
  verify,
} from "node:crypto";
import type { Es256Signer, Sha256 } from "../src/host.ts";
import type { SignatureVerifier } from "../src/token/verifier.ts";

const dummySignature = Buffer.alloc(64, 1);
const dummyKey = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).publicKey;

/** Verifies with the KeyObject given as handle; counts what it was asked. */
export class NodeVerifier implements SignatureVerifier {
  verified = 0;
  dummies = 0;
  // What `verify` wants for a key, made once: asking a KeyObject for its curve costs as much as a SHA-256.
  readonly #inputs = new WeakMap<KeyObject, VerifyKeyObjectInput>();

  verify(alg: "ES256" | "RS256", handle: unknown, signingInput: Uint8Array, signature: Uint8Array): boolean {
    this.verified++;
    if (!(handle instanceof KeyObject)) return false;
    let input = this.#inputs.get(handle);
    if (input === undefined) {
      if (algorithmOf(handle) !== alg) return false;
      input =
        alg === "ES256"
          ? { key: handle, dsaEncoding: "ieee-p1363" }
          : { key: handle, padding: constants.RSA_PKCS1_PADDING };
      this.#inputs.set(handle, input);
    }
    if (alg !== (input.dsaEncoding === undefined ? "RS256" : "ES256")) return false;
    return verify("sha256", signingInput, input, signature);
  }

  verifyDummy(_alg: "ES256" | "RS256", signingInput: Uint8Array, _signature: Uint8Array): void {
    this.dummies++;
    verify("sha256", signingInput, { key: dummyKey, dsaEncoding: "ieee-p1363" }, dummySignature);
  }
}

function algorithmOf(key: KeyObject): "ES256" | "RS256" | undefined {
  if (key.asymmetricKeyType === "rsa") return "RS256";
  return key.asymmetricKeyDetails?.namedCurve === "prime256v1" ? "ES256" : undefined;
}

export const nodeSha256: Sha256 = {
  digest: (bytes) => new Uint8Array(createHash("sha256").update(bytes).digest()),
};

export interface TestKey {
  readonly keyId: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export function makeEcKey(keyId: string, namedCurve = "prime256v1"): TestKey {
  return { keyId, ...generateKeyPairSync("ec", { namedCurve }) };
}

export function makeRsaKey(keyId: string): TestKey {
  return { keyId, ...generateKeyPairSync("rsa", { modulusLength: 2048 }) };
}

export function importJwk(jwk: Readonly<Record<string, string>>): KeyObject {
  return createPublicKey({ key: jwk, format: "jwk" });
}

/** Signs whole messages, as far as `node:crypto` can: it has no way to sign a digest made elsewhere. */
export function signEs256(key: TestKey, message: Uint8Array): Uint8Array {
  return new Uint8Array(sign("sha256", message, { key: key.privateKey, dsaEncoding: "ieee-p1363" }));
}

/**
 * A signer port that remembers what was hashed last, since `node:crypto` signs messages and not digests.
 * Use the pair for one signer only.
 */
export function makeSigner(key: TestKey): { readonly signer: Es256Signer; readonly sha256: Sha256 } {
  let message: Uint8Array = new Uint8Array(0);
  return {
    sha256: {
      digest: (bytes) => {
        message = bytes;
        return nodeSha256.digest(bytes);
      },
    },
    signer: { keyId: key.keyId, signDigest: async () => signEs256(key, message) },
  };
}
