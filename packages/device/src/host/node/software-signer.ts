/**
 * A device key in a file: a software P-256 key as signer, for devices without a chip and for trials.
 *
 * It signs whole messages: `crypto.sign` of Node 26 hashes whatever it is given (with `null` it takes
 * SHA-256), so a digest cannot be handed to it. Left to others: where the file lies and who may read it.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import type { Es256MessageSigner } from "../../ports.ts";

export type SignerErrorCode = "key_malformed";

/** The key cannot be used. `message` says why and never quotes it. */
export class SignerError extends Error {
  override readonly name = "SignerError";
  readonly code: SignerErrorCode;

  constructor(code: SignerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * @param key PEM (PKCS #8 or SEC 1) or JWK (JSON text) of a P-256 private key.
 * @param keyId default: the first 16 hexadecimal digits of SHA-256 of the SubjectPublicKeyInfo, as the
 *   registry names a key.
 * @throws {SignerError}
 */
export function createSoftwareSigner(key: string, keyId?: string): Es256MessageSigner {
  const privateKey = importPrivateKey(key);
  return {
    keyId: keyId ?? nameKey(privateKey),
    // Asynchronous as a chip is, so that the agent meets one behaviour; libuv's pool keeps the loop free.
    signMessage: (message) =>
      new Promise((resolve, reject) => {
        sign("sha256", message, { key: privateKey, dsaEncoding: "ieee-p1363" }, (error, signature) => {
          if (error === null) resolve(signature);
          else reject(error);
        });
      }),
  };
}

function importPrivateKey(text: string): KeyObject {
  let key: KeyObject;
  try {
    key = text.trimStart().startsWith("{")
      ? createPrivateKey({ key: JSON.parse(text), format: "jwk" })
      : createPrivateKey(text);
  } catch (cause) {
    throw new SignerError("key_malformed", "no private key could be read", { cause });
  }
  if (key.asymmetricKeyType !== "ec" || key.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
    throw new SignerError("key_malformed", "a device key must be on the curve P-256");
  }
  return key;
}

function nameKey(privateKey: KeyObject): string {
  const spki = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return createHash("sha256").update(spki).digest("hex").slice(0, 16);
}
