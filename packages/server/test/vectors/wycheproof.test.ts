/**
 * Project Wycheproof's vectors (C2SP/wycheproof, Apache-2.0) through the verifier the server really uses, key import
 * included, and its tokens through the whole verification.
 *
 * Read where they lie beside the repository, not copied in: a clone alone has none of them, and skips with a reason that
 * says so. The live server meets a sample of them in `test/iot-core/published-vectors.test.ts`.
 */
import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { policyPresets, type TokenAlgorithm, TokenError, verifyDeviceToken } from "@mayfly/core/token";
import { createNodeKeyVerifier } from "../../src/host/node-key-verifier.ts";

const folder = fileURLToPath(new URL("../../../../../shared/vectors/wycheproof/", import.meta.url));
const verifier = createNodeKeyVerifier();

interface SignatureVectors {
  readonly testGroups: readonly {
    readonly publicKeyPem: string;
    readonly tests: readonly {
      readonly tcId: number;
      readonly comment: string;
      readonly msg: string;
      readonly sig: string;
      readonly result: "valid" | "invalid" | "acceptable";
    }[];
  }[];
}

type Jwk = Readonly<Record<string, string>>;
interface JwsVectors {
  readonly testGroups: readonly {
    readonly public?: Jwk;
    readonly private?: Jwk;
    readonly tests: readonly { readonly tcId: number; readonly comment: string; readonly jws: string }[];
  }[];
}

function skipOf(file: string): string | false {
  if (existsSync(`${folder}${file}`)) return false;
  return `cannot be tested here: ${file} lies beside no clone alone`;
}

function read<Vectors>(file: string): Vectors {
  return JSON.parse(readFileSync(`${folder}${file}`, "utf8")) as Vectors;
}

const files = [
  ["ecdsa_secp256r1_sha256_p1363_test.json", "ES256", 262],
  ["rsa_signature_2048_sha256_test.json", "RS256", 259],
] as const satisfies readonly (readonly [file: string, alg: TokenAlgorithm, count: number])[];

for (const [file, alg, count] of files) {
  test(`the server's verifier takes an ${alg} signature exactly when Wycheproof calls it valid`, {
    skip: skipOf(file),
  }, () => {
    let seen = 0;
    for (const { publicKeyPem, tests } of read<SignatureVectors>(file).testGroups) {
      const key = verifier.importKey(publicKeyPem, alg);
      for (const { tcId, comment, msg, sig, result } of tests) {
        const isTaken = verifier.verify(alg, key, Buffer.from(msg, "hex"), Buffer.from(sig, "hex"));

        if (result !== "acceptable") assert.equal(isTaken, result === "valid", `vector ${tcId}: ${comment}`);
        seen += 1;
      }
    }
    assert.equal(seen, count);
  });
}

const derFile = "ecdsa_secp256r1_sha256_test.json";
test("the server's verifier takes no signature in DER, not even a valid one", {
  skip: skipOf(derFile),
}, () => {
  let seen = 0;
  for (const { publicKeyPem, tests } of read<SignatureVectors>(derFile).testGroups) {
    const key = verifier.importKey(publicKeyPem, "ES256");
    for (const { tcId, comment, msg, sig } of tests) {
      const isTaken = verifier.verify("ES256", key, Buffer.from(msg, "hex"), Buffer.from(sig, "hex"));

      assert.equal(isTaken, false, `vector ${tcId}: ${comment}`);
      seen += 1;
    }
  }
  assert.equal(seen, 484);
});

const jwsFile = "json_web_signature_test.json";
test("no JWS of Wycheproof is a device token, in neither preset, and none throws anything but a TokenError", {
  skip: skipOf(jwsFile),
}, () => {
  let seen = 0;
  for (const group of read<JwsVectors>(jwsFile).testGroups) {
    const jwk = group.public ?? group.private ?? {};
    const alg = jwk["kty"] === "RSA" ? "RS256" : "ES256";
    // A curve or a key that no device may have is never a candidate.
    const pem = jwk["kty"] === "RSA" || jwk["crv"] === "P-256" ? pemOf(jwk) : undefined;
    const keys =
      pem === undefined
        ? []
        : [{ keyId: "k", alg, state: "active", handle: verifier.importKey(pem, alg) } as const];
    for (const { tcId, comment, jws } of group.tests) {
      for (const policy of Object.values(policyPresets)) {
        const context = { policy, now: 1_700_000_000, audience: "mayfly", devicePaths: [], ownAgent: false };
        const device = { blocked: false, keys };

        assert.throws(
          () => verifyDeviceToken(jws, { ...context, device, verifyWhenTimeFails: true }, verifier),
          TokenError,
          `vector ${tcId}: ${comment}`,
        );
      }
      seen += 1;
    }
  }
  assert.equal(seen, 401);
});

function pemOf(jwk: Jwk): string {
  return createPublicKey({ key: jwk, format: "jwk" }).export({ type: "spki", format: "pem" }).toString();
}
