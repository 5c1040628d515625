/**
 * Signatures on Node: `node:crypto`, synchronous, with keys kept as `KeyObject`s.
 *
 * An EC or RSA operation each time it is asked: what verified before is remembered where tokens are known
 * (`auth/verified-tokens.ts`).
 */
import { createPublicKey, type KeyObject, verify, X509Certificate } from "node:crypto";
import type { TokenAlgorithm } from "@mayfly/core/token";
import { type ImportedKey, KeyImportError, type KeyVerifier } from "../auth/key-verifier.ts";

/** RFC 7518 §3.3. */
const rsaBitsMin = 2048;

/** Public keys whose private half was thrown away when they were made: for the work, not for the answer. */
const nobodysKeys = {
  ES256: `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsMB9FACRFCJox7DXoV6jxdc/f6EC
Fb7tDekumA1gVwQhUvDkzpDt+up0HXVCxNCYgcsFPaRiUAs5Kpy6R59XPw==
-----END PUBLIC KEY-----`,
  RS256: `-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAvIWA1CipQOPrYvncT1t+
sHHgv6VeV/k1zyQJZKEorEZmPqQRRl2tLptCQUd5DL8+U8FksfLAhc7g3v1WtFiH
o9V1eLlRPQijNHdCahZVj8ZOedIR6rJp6FIVHqmyrjHyFAAWb5pBt/kIbBdOE/kZ
pjkBjp8pjhRm2Uavj33k0aUy8nq6t6TzjDkk/8eVd4HvX8bEdKXYYRb1LY0vaWfF
ha5UcFPyzS7VqbSd0hJdBAbCW3gUgYoLdlXRvH1ZW+ZZkr0tpuZgUBqumYXa3mRy
n9vLxSYLj3s5/Qtw3vYfQcsbA5vRcwF87zhIiBYaiqDcwykQ6yW+cN2KTHheM63x
xwIDAQAB
-----END PUBLIC KEY-----`,
} as const satisfies Record<TokenAlgorithm, string>;

interface NodeKey {
  readonly key: KeyObject;
}

export function createNodeKeyVerifier(): KeyVerifier {
  const nobody = {
    ES256: importNodeKey(nobodysKeys.ES256, "ES256"),
    RS256: importNodeKey(nobodysKeys.RS256, "RS256"),
  };

  return {
    importKey: importNodeKey,
    verify(alg, imported, signingInput, signature) {
      return verifyWith(alg, (imported as NodeKey).key, signingInput, signature);
    },
    verifyDummy(alg, signingInput, signature) {
      verifyWith(alg, nobody[alg].key, signingInput, signature);
    },
  };
}

function verifyWith(
  alg: TokenAlgorithm,
  key: KeyObject,
  signingInput: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    return alg === "ES256"
      ? verify("sha256", signingInput, { key, dsaEncoding: "ieee-p1363" }, signature)
      : verify("sha256", signingInput, key, signature);
  } catch {
    // OpenSSL reports some malformed signatures as errors; either way this is not the key's signature.
    return false;
  }
}

function importNodeKey(pem: string, alg: TokenAlgorithm): ImportedKey & NodeKey {
  const key = readPem(pem);
  const details = key.asymmetricKeyDetails;
  const fits =
    alg === "ES256"
      ? key.asymmetricKeyType === "ec" && details?.namedCurve === "prime256v1"
      : key.asymmetricKeyType === "rsa" && (details?.modulusLength ?? 0) >= rsaBitsMin;
  if (!fits) throw new KeyImportError(`not a key for ${alg}`);
  return { key };
}

function readPem(pem: string): KeyObject {
  try {
    // Never a private key: createPublicKey would derive the public half from one.
    if (pem.includes("PRIVATE KEY")) throw new KeyImportError("a private key where a public one belongs");
    return pem.includes("BEGIN CERTIFICATE") ? new X509Certificate(pem).publicKey : createPublicKey(pem);
  } catch (error) {
    if (error instanceof KeyImportError) throw error;
    throw new KeyImportError("no public key could be read from the PEM", { cause: error });
  }
}
