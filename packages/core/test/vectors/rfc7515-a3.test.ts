/**
 * RFC 7515 appendix A.3: a JWS with ECDSA P-256 SHA-256. Copied from the RFC (code components of RFCs:
 * Revised BSD License, IETF Trust).
 */
import assert from "node:assert/strict";
import test from "node:test";
import { findEs256Malformation } from "../../src/token/ecdsa-range.ts";
import { judgeHeader, splitJws } from "../../src/token/jws.ts";
import { policyPresets } from "../../src/token/policy.ts";
import { TokenError } from "../../src/token/token-error.ts";
import { verifyDeviceToken } from "../../src/token/verify.ts";
import { importJwk, NodeVerifier } from "../node-verifier.ts";
import { makeContext, makeDevice } from "../token-maker.ts";

const jwk = {
  kty: "EC",
  crv: "P-256",
  x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
  y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
};

const jws = [
  "eyJhbGciOiJFUzI1NiJ9",
  "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
  "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
].join(".");

test("RFC 7515 A.3 comes apart as printed there", () => {
  const { header, payload, signature } = splitJws(jws, policyPresets.strict);

  assert.deepEqual(judgeHeader(header, "JWT"), { alg: "ES256" });
  assert.deepEqual(
    payload,
    new Map<string, unknown>([
      ["iss", "joe"],
      ["exp", 1_300_819_380],
      ["http://example.com/is_root", true],
    ]),
  );
  assert.deepEqual([...signature.subarray(0, 4)], [14, 209, 33, 83]);
  assert.deepEqual([...signature.subarray(32, 36)], [197, 10, 7, 211]);
});

test("the signature of RFC 7515 A.3 verifies over the signing input taken from it", () => {
  const { signature, signingInput } = splitJws(jws, policyPresets.strict);

  assert.equal(findEs256Malformation(signature), undefined);
  assert.ok(new NodeVerifier().verify("ES256", importJwk(jwk), signingInput, signature));
});

test("RFC 7515 A.3 is a good JWS but no device token: it has no iat and no aud", () => {
  const key = { keyId: "a3", alg: "ES256", state: "active", handle: importJwk(jwk) } as const;

  assert.throws(
    () => verifyDeviceToken(jws, makeContext({ device: makeDevice({ keys: [key] }) }), new NodeVerifier()),
    (error) => error instanceof TokenError && error.code === "token_claims_malformed",
  );
});
