/**
 * Project Wycheproof's vectors (C2SP/wycheproof, Apache-2.0), read where they lie beside the repository.
 *
 * They are not copied in: a clone alone has none of them, and skips with a reason that says so.
 */
import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { hexDecode } from "../../src/bytes.ts";
import { findEs256Malformation } from "../../src/token/ecdsa-range.ts";
import {
  cutJws,
  decodePart,
  decodeText,
  judgeHeader,
  readMembers,
  signingInputOf,
} from "../../src/token/jws.ts";
import { policyPresets } from "../../src/token/policy.ts";
import { TokenError } from "../../src/token/token-error.ts";
import { NodeVerifier } from "../node-verifier.ts";

const folder = fileURLToPath(new URL("../../../../../shared/vectors/wycheproof/", import.meta.url));

interface Vector {
  readonly tcId: number;
  readonly comment: string;
  readonly result: "valid" | "invalid" | "acceptable";
}
interface SignatureVector extends Vector {
  readonly msg: string;
  readonly sig: string;
}
interface JwsVector extends Vector {
  readonly jws: string;
}
interface VectorFile<Group> {
  readonly numberOfTests: number;
  readonly testGroups: readonly Group[];
}
interface SignatureGroup {
  readonly publicKeyPem: string;
  readonly tests: readonly SignatureVector[];
}
type Jwk = Readonly<Record<string, string>>;
interface JwsGroup {
  readonly public?: Jwk;
  readonly private?: Jwk;
  readonly tests: readonly JwsVector[];
}

/** Runs `check` over a file of vectors; `check` answers how many it has seen. */
function testVectors<Group>(
  title: string,
  file: string,
  count: number,
  check: (groups: readonly Group[]) => Readonly<Record<string, number>>,
): void {
  const path = `${folder}${file}`;
  const isMissing = !existsSync(path);
  const skip = isMissing
    ? `cannot be tested here: ${count} vectors of ${file} lie beside no clone alone`
    : false;
  test(title, { skip }, (t) => {
    assert.ok(!isMissing, `with CI=true the vectors must be there: ${file}`);
    const vectors = JSON.parse(readFileSync(path, "utf8")) as VectorFile<Group>;
    assert.equal(vectors.numberOfTests, count);

    const seen = check(vectors.testGroups);

    t.diagnostic(`${file}: ${JSON.stringify(seen)}`);
    assert.equal(
      Object.values(seen).reduce((sum, n) => sum + n, 0),
      count,
    );
  });
}

const verifier = new NodeVerifier();

testVectors<SignatureGroup>(
  "an ES256 signature is taken exactly when Wycheproof calls it valid, and core itself finds those out of range",
  "ecdsa_secp256r1_sha256_p1363_test.json",
  262,
  (groups) => {
    const seen = { valid: 0, malformed: 0, wrong: 0 };
    for (const { publicKeyPem, tests } of groups) {
      const key = createPublicKey(publicKeyPem);
      for (const { tcId, comment, msg, sig, result } of tests) {
        const signature = hexDecode(sig);
        const isMalformed = findEs256Malformation(signature) !== undefined;
        const isTaken = !isMalformed && verifier.verify("ES256", key, hexDecode(msg), signature);

        assert.equal(isTaken, result === "valid", `vector ${tcId}: ${comment}`);
        seen[isTaken ? "valid" : isMalformed ? "malformed" : "wrong"]++;
      }
    }
    assert.ok(seen.malformed > 0);
    return seen;
  },
);

testVectors<SignatureGroup>(
  "no signature in DER is taken for ES256, not even a valid one",
  "ecdsa_secp256r1_sha256_test.json",
  484,
  (groups) => {
    const seen = { malformed: 0, wrong: 0 };
    for (const { publicKeyPem, tests } of groups) {
      const key = createPublicKey(publicKeyPem);
      for (const { tcId, comment, msg, sig } of tests) {
        const signature = hexDecode(sig);
        const isMalformed = findEs256Malformation(signature) !== undefined;

        const isTaken = !isMalformed && verifier.verify("ES256", key, hexDecode(msg), signature);

        assert.ok(!isTaken, `vector ${tcId}: ${comment}`);
        seen[isMalformed ? "malformed" : "wrong"]++;
      }
    }
    return seen;
  },
);

testVectors<SignatureGroup>(
  "an RS256 signature is taken exactly when Wycheproof calls it valid",
  "rsa_signature_2048_sha256_test.json",
  259,
  (groups) => {
    const seen = { valid: 0, refused: 0 };
    for (const { publicKeyPem, tests } of groups) {
      const key = createPublicKey(publicKeyPem);
      for (const { tcId, comment, msg, sig, result } of tests) {
        const isTaken = verifier.verify("RS256", key, hexDecode(msg), hexDecode(sig));

        if (result !== "acceptable") assert.equal(isTaken, result === "valid", `vector ${tcId}: ${comment}`);
        seen[isTaken ? "valid" : "refused"]++;
      }
    }
    return seen;
  },
);

/** The form, the header and the signature of a JWS, by the steps of the verifier; the payload is any bytes. */
function isJwsTaken(jws: string, jwk: Jwk): boolean {
  try {
    const cut = cutJws(jws);
    const policy = policyPresets.strict;
    const header = judgeHeader(readMembers(decodeText(cut, "header", policy, []), "header"), "JWT");
    decodePart(cut, "payload", policy, []);
    const signature = decodePart(cut, "signature", policy, []);
    if (header.alg !== jwk["alg"]) return false;
    if (header.alg === "ES256" && findEs256Malformation(signature) !== undefined) return false;
    const key = createPublicKey({ key: jwk, format: "jwk" });
    return verifier.verify(header.alg, key, signingInputOf(cut), signature);
  } catch (error) {
    assert.ok(error instanceof TokenError, String(error));
    return false;
  }
}

testVectors<JwsGroup>(
  "a JWS is taken exactly when Wycheproof calls it valid and it is ES256 or RS256",
  "json_web_signature_test.json",
  401,
  (groups) => {
    const seen = { valid: 0, refused: 0, otherAlgorithm: 0 };
    for (const group of groups) {
      const jwk = group.public ?? group.private ?? {};
      const isOurs = jwk["alg"] === "ES256" || jwk["alg"] === "RS256";
      for (const { tcId, comment, jws, result } of group.tests) {
        const isTaken = isJwsTaken(jws, jwk);

        assert.equal(isTaken, isOurs && result === "valid", `vector ${tcId}: ${comment}`);
        seen[isTaken ? "valid" : isOurs ? "refused" : "otherAlgorithm"]++;
      }
    }
    assert.ok(seen.valid > 0);
    return seen;
  },
);
