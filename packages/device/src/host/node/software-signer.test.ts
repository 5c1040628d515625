import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, verify } from "node:crypto";
import { test } from "node:test";
import { createSoftwareSigner, SignerError } from "./software-signer.ts";

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const message = new Uint8Array([1, 2, 3]);

test("a PEM key, PKCS #8 or SEC 1, and a JWK sign alike: 64 bytes that verify", async () => {
  const texts = [
    privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    privateKey.export({ format: "pem", type: "sec1" }).toString(),
    JSON.stringify(privateKey.export({ format: "jwk" })),
  ];

  for (const text of texts) {
    const signature = await createSoftwareSigner(text).signMessage(message);

    assert.equal(signature.length, 64);
    assert.ok(verify("sha256", message, { key: publicKey, dsaEncoding: "ieee-p1363" }, signature));
  }
});

test("a key without a name is named as the registry names it", () => {
  const spki = publicKey.export({ format: "der", type: "spki" });
  const fingerprint = createHash("sha256").update(spki).digest("hex");

  const signer = createSoftwareSigner(privateKey.export({ format: "pem", type: "pkcs8" }).toString());

  assert.equal(signer.keyId, fingerprint.slice(0, 16));
});

test("a key on another curve, a public key and no key at all are refused without being quoted", () => {
  const other = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
  const texts = [
    other.export({ format: "pem", type: "pkcs8" }).toString(),
    publicKey.export({ format: "pem", type: "spki" }).toString(),
    "no key, but a secret",
    "{ not json",
  ];

  for (const text of texts) {
    assert.throws(
      () => createSoftwareSigner(text),
      (error) => error instanceof SignerError && !error.message.includes("secret"),
    );
  }
});
