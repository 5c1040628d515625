import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { jwtVerify } from "jose";
import { makeEcKey, makeSigner, nodeSha256 } from "../../test/node-verifier.ts";
import { encodeTokenSigningInput, joinToken, mintDeviceToken, tokenClaimsFor } from "./mint.ts";
import { parseToken } from "./parse.ts";
import { policyPresets } from "./policy.ts";
import { TokenError } from "./token-error.ts";

const devicePath = "projects/mayfly/locations/lab/registries/demo/devices/sensor-1";

test("claims are backdated by the uncertainty in whole seconds and say so", () => {
  const claims = tokenClaimsFor({
    projectId: "mayfly",
    devicePath,
    issuedAt: 1_700_000_000.9,
    lifetimeSeconds: 3600,
    uncertaintySeconds: 1.2,
  });

  assert.deepEqual(claims, { aud: "mayfly", iat: 1_699_999_998, exp: 1_700_003_598, sub: devicePath, u: 2 });
});

test("a clock fast by no more than its uncertainty never signs a token from the future", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 1e9, max: 4e9, noNaN: true }),
      fc.double({ min: 0, max: 300, noNaN: true }),
      fc.double({ min: -1, max: 1, noNaN: true }),
      (truth, uncertaintySeconds, share) => {
        const issuedAt = truth + share * uncertaintySeconds;

        const { iat, exp, u } = tokenClaimsFor({
          projectId: "p",
          devicePath,
          issuedAt,
          lifetimeSeconds: 60,
          uncertaintySeconds,
        });

        assert.ok(iat <= truth + 1e-6);
        assert.equal(exp - iat, 60);
        assert.equal(iat + (u ?? 0), Math.floor(issuedAt));
      },
    ),
  );
});

test("the signing input is the two base64url parts of header and claims", () => {
  const input = encodeTokenSigningInput({ alg: "ES256", typ: "JWT" }, { aud: "p", iat: 1, exp: 2 });

  const [header, claims] = Buffer.from(input).toString("latin1").split(".");
  assert.equal(Buffer.from(header ?? "", "base64url").toString(), '{"alg":"ES256","typ":"JWT"}');
  assert.equal(Buffer.from(claims ?? "", "base64url").toString(), '{"aud":"p","iat":1,"exp":2}');
});

test("a minted token verifies with an independent library", async () => {
  const key = makeEcKey("k1");
  const { signer, sha256 } = makeSigner(key);
  const iat = 1_700_000_000;

  const token = await mintDeviceToken(
    { aud: "mayfly", iat, exp: iat + 60, sub: devicePath, u: 0 },
    signer,
    sha256,
  );

  const { payload, protectedHeader } = await jwtVerify(token, key.publicKey, {
    audience: "mayfly",
    typ: "JWT",
    currentDate: new Date(iat * 1000),
  });
  assert.deepEqual(payload, { aud: "mayfly", iat, exp: iat + 60, sub: devicePath, u: 0 });
  assert.deepEqual(protectedHeader, { alg: "ES256", typ: "JWT", kid: "k1" });
});

test("the signer is asked for the SHA-256 of the signing input", async () => {
  const key = makeEcKey("k1");
  let asked: Uint8Array = new Uint8Array(0);
  const signer = {
    keyId: "k1",
    signDigest: async (digest: Uint8Array) => {
      asked = digest;
      return new Uint8Array(64).fill(1);
    },
  };
  const claims = { aud: "p", iat: 1, exp: 2 };

  await mintDeviceToken(claims, signer, nodeSha256);

  assert.deepEqual(
    asked,
    nodeSha256.digest(encodeTokenSigningInput({ alg: "ES256", typ: "JWT", kid: key.keyId }, claims)),
  );
});

test("a signer that answers in DER is found out at once", async () => {
  const signer = { keyId: "k1", signDigest: async () => Uint8Array.of(0x30, 6, 2, 1, 1, 2, 1, 1) };

  await assert.rejects(
    mintDeviceToken({ aud: "p", iat: 1, exp: 2 }, signer, nodeSha256),
    (error) =>
      error instanceof TokenError &&
      error.code === "token_signature_malformed" &&
      error.facts["because"] === "der",
  );
});

test("joining and parsing gives back header, claims and signature", () => {
  const signature = new Uint8Array(64).fill(7);
  const claims = { aud: "pröject", iat: 1, exp: 2 };
  const token = joinToken(encodeTokenSigningInput({ alg: "ES256", typ: "JWT" }, claims), signature);

  const parsed = parseToken(token, policyPresets.strict);

  assert.deepEqual(parsed, { header: { alg: "ES256", typ: "JWT" }, claims, signature, leniencies: [] });
});
