import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { makeEcKey, makeRsaKey, NodeVerifier } from "../../test/node-verifier.ts";
import {
  candidate,
  devicePath,
  goodClaims,
  goodHeader,
  hmacText,
  key1,
  key2,
  makeContext,
  makeDevice,
  makeToken,
  makeTokenWithClaims,
  now,
  numericPath,
  signText,
  strangerKey,
} from "../../test/token-maker.ts";
import { tokenBytesMax } from "./jws.ts";
import { policyPresets } from "./policy.ts";
import { TokenError, type TokenErrorCode } from "./token-error.ts";
import { type VerificationContext, type VerifiedToken, verifyDeviceToken } from "./verify.ts";

const lenient = makeContext({ policy: policyPresets["iot-core"] });
const order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const zero = "00".repeat(32);
const one = "01".padStart(64, "0");

function verify(token: string, context: VerificationContext = makeContext()): VerifiedToken {
  return verifyDeviceToken(token, context, new NodeVerifier());
}

function refusal(
  token: string,
  context: VerificationContext = makeContext(),
  verifier = new NodeVerifier(),
): TokenError {
  try {
    verifyDeviceToken(token, context, verifier);
  } catch (error) {
    assert.ok(error instanceof TokenError, String(error));
    return error;
  }
  assert.fail("the token was taken");
}

test("a good token gives its claims, its key and its deadline", () => {
  assert.deepEqual(verify(makeToken()), {
    claims: goodClaims,
    keyId: "k1",
    keyState: "active",
    alg: "ES256",
    deadlineSeconds: goodClaims.exp,
    leniencies: [],
  });
});

test("an RS256 token verifies with an RSA key", () => {
  const key = makeRsaKey("r1");
  const device = makeDevice({ keys: [candidate(key1), candidate(key)] });

  const { alg, keyId } = verify(makeToken({ header: { alg: "RS256" }, key }), makeContext({ device }));

  assert.deepEqual([alg, keyId], ["RS256", "r1"]);
});

/** A token, refused with the code under both presets unless one is named. */
interface Refusal {
  readonly why: string;
  readonly token: string;
  readonly code: TokenErrorCode;
  readonly only?: "strict" | "iot-core";
}

const signedBy = (header: object, sign: (input: string) => Uint8Array): string => {
  const input = makeToken({ header, signature: new Uint8Array(0) }).slice(0, -1);
  return `${input}.${Buffer.from(sign(input)).toString("base64url")}`;
};
const withRs = (r: string, s: string) => makeToken({ signature: Buffer.from(r + s, "hex") });
const p384 = makeEcKey("p384", "secp384r1");
const embedded = key2.publicKey.export({ format: "jwk" });
const good = makeToken();
const [goodHeaderPart = "", goodClaimsPart = "", goodSignaturePart = ""] = good.split(".");

const refusals: readonly Refusal[] = [
  // Form.
  { why: "is empty", token: "", code: "token_malformed" },
  { why: "has two parts", token: `${goodHeaderPart}.${goodClaimsPart}`, code: "token_malformed" },
  { why: "has four parts", token: `${good}.`, code: "token_malformed" },
  { why: "has no header", token: `.${goodClaimsPart}.${goodSignaturePart}`, code: "token_malformed" },
  { why: "has no claims", token: `${goodHeaderPart}..${goodSignaturePart}`, code: "token_malformed" },
  { why: "ends in a line end", token: `${good}\n`, code: "token_malformed" },
  { why: "begins with a blank", token: ` ${good}`, code: "token_malformed" },
  { why: "has a character beyond ASCII", token: good.replace(".", ".\u0142"), code: "token_malformed" },
  {
    why: "has padding",
    token: `${goodHeaderPart}=.${goodClaimsPart}.${goodSignaturePart}`,
    code: "token_malformed",
  },
  { why: "has a header that is an array", token: makeToken({ header: "[]" }), code: "token_malformed" },
  {
    why: "has a header that is no JSON",
    token: makeToken({ header: "{alg:ES256}" }),
    code: "token_malformed",
  },
  { why: "has claims that are no object", token: makeToken({ claims: '"mayfly"' }), code: "token_malformed" },
  {
    why: "has claims that are no UTF-8",
    token: `${goodHeaderPart}.${Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]).toString("base64url")}.`,
    code: "token_malformed",
  },
  {
    why: "names exp twice",
    token: makeToken({ claims: `{"aud":"mayfly","iat":${now},"exp":${now - 5},"exp":${now + 60}}` }),
    code: "token_malformed",
  },
  {
    why: "names alg twice",
    token: makeToken({ header: '{"alg":"ES256","alg":"none"}' }),
    code: "token_malformed",
  },
  {
    why: "hides a second alg behind an escape",
    token: makeToken({ header: '{"alg":"ES256","\\u0061lg":"none"}' }),
    code: "token_malformed",
  },
  {
    why: "has a header of 1 MB",
    token: makeToken({ header: { ...goodHeader, x: "x".repeat(1_000_000) } }),
    code: "token_too_large",
  },
  { why: "is one byte too long", token: "a".repeat(tokenBytesMax + 1), code: "token_too_large" },
  // Header.
  {
    why: "has alg none and no signature",
    token: makeToken({ header: { alg: "none" }, signature: new Uint8Array(0) }),
    code: "token_algorithm_unsupported",
  },
  {
    why: "has alg none and a signature",
    token: makeToken({ header: { alg: "none" } }),
    code: "token_algorithm_unsupported",
  },
  { why: "has no alg", token: makeToken({ header: { typ: "JWT" } }), code: "token_algorithm_unsupported" },
  {
    why: "has alg in small letters",
    token: makeToken({ header: { alg: "es256" } }),
    code: "token_algorithm_unsupported",
  },
  {
    why: "has two algs",
    token: makeToken({ header: { alg: ["ES256"] } }),
    code: "token_algorithm_unsupported",
  },
  {
    why: "is an HS256 with the public key as secret",
    token: signedBy({ alg: "HS256", typ: "JWT" }, (input) => hmacText(input, key1.publicKey)),
    code: "token_algorithm_unsupported",
  },
  {
    why: "is an ES384 of another curve",
    token: signedBy({ alg: "ES384", typ: "JWT" }, (input) => signText(input, p384.privateKey)),
    code: "token_algorithm_unsupported",
  },
  {
    why: "has another typ",
    token: makeToken({ header: { alg: "ES256", typ: "at+jwt" } }),
    code: "token_header_unsupported",
  },
  {
    why: "has the typ of a possession statement",
    token: makeToken({ header: { alg: "ES256", typ: "mayfly-possession+jwt" } }),
    code: "token_header_unsupported",
  },
  {
    why: "has a typ that is no string",
    token: makeToken({ header: { alg: "ES256", typ: null } }),
    code: "token_header_unsupported",
  },
  {
    why: "has crit",
    token: makeToken({ header: { ...goodHeader, crit: ["exp"] } }),
    code: "token_header_unsupported",
  },
  {
    why: "has an empty crit",
    token: makeToken({ header: { ...goodHeader, crit: [] } }),
    code: "token_header_unsupported",
  },
  {
    why: "brings its own key along",
    token: makeToken({ header: { ...goodHeader, jwk: embedded }, key: key2 }),
    code: "token_header_unsupported",
  },
  {
    why: "says where to fetch a key",
    token: makeToken({ header: { ...goodHeader, jku: "https://example.com/k" } }),
    code: "token_header_unsupported",
  },
  {
    why: "brings a certificate",
    token: makeToken({ header: { ...goodHeader, x5c: ["MII"] } }),
    code: "token_header_unsupported",
  },
  {
    why: "says where to fetch a certificate",
    token: makeToken({ header: { ...goodHeader, x5u: "https://example.com/c" } }),
    code: "token_header_unsupported",
  },
  {
    why: "has a kid that is no string",
    token: makeToken({ header: { ...goodHeader, kid: 1 } }),
    code: "token_header_unsupported",
  },
  // Claims.
  ...["iat", "exp", "aud"].map(
    (claim): Refusal => ({
      why: `has no ${claim}`,
      token: makeTokenWithClaims({ [claim]: undefined }),
      code: "token_claims_malformed",
    }),
  ),
  {
    why: "has exp as a string",
    token: makeTokenWithClaims({ exp: `${now + 60}` }),
    code: "token_claims_malformed",
    only: "strict",
  },
  {
    why: "has exp as a string with a sign",
    token: makeTokenWithClaims({ exp: `+${now + 60}` }),
    code: "token_claims_malformed",
  },
  {
    why: "has exp as 16 digits",
    token: makeTokenWithClaims({ exp: "1".repeat(16) }),
    code: "token_claims_malformed",
  },
  {
    why: "has exp as an empty string",
    token: makeTokenWithClaims({ exp: "" }),
    code: "token_claims_malformed",
  },
  {
    why: "has exp as a float",
    token: makeTokenWithClaims({ exp: now + 60.5 }),
    code: "token_claims_malformed",
  },
  { why: "has a negative exp", token: makeTokenWithClaims({ exp: -1 }), code: "token_claims_malformed" },
  {
    why: "has a huge exp",
    token: makeToken({ claims: `{"aud":"mayfly","iat":${now},"exp":1e300}` }),
    code: "token_claims_malformed",
  },
  {
    why: "has an infinite exp",
    token: makeToken({ claims: `{"aud":"mayfly","iat":${now},"exp":1e999}` }),
    code: "token_claims_malformed",
  },
  { why: "has exp as null", token: makeTokenWithClaims({ exp: null }), code: "token_claims_malformed" },
  { why: "has exp as true", token: makeTokenWithClaims({ exp: true }), code: "token_claims_malformed" },
  {
    why: "has exp equal to iat",
    token: makeTokenWithClaims({ iat: now, exp: now }),
    code: "token_claims_malformed",
  },
  {
    why: "has exp before iat",
    token: makeTokenWithClaims({ iat: now, exp: now - 1 }),
    code: "token_claims_malformed",
  },
  { why: "has a negative iat", token: makeTokenWithClaims({ iat: -1 }), code: "token_claims_malformed" },
  {
    why: "has aud as an array",
    token: makeTokenWithClaims({ aud: ["mayfly"] }),
    code: "token_claims_malformed",
  },
  { why: "has sub as a number", token: makeTokenWithClaims({ sub: 7 }), code: "token_claims_malformed" },
  {
    why: "has nbf as a float",
    token: makeTokenWithClaims({ nbf: 1.5 }),
    code: "token_claims_malformed",
    only: "strict",
  },
  {
    why: "lives too long",
    token: makeTokenWithClaims({ exp: now - 10 + 87_001 }),
    code: "token_lifetime_too_long",
  },
  {
    why: "is for another project",
    token: makeTokenWithClaims({ aud: "mayfly2" }),
    code: "token_audience_mismatch",
  },
  { why: "is for nobody", token: makeTokenWithClaims({ aud: "" }), code: "token_audience_mismatch" },
  {
    why: "speaks for another device",
    token: makeTokenWithClaims({ sub: devicePath.replace("sensor-1", "sensor-2") }),
    code: "token_subject_mismatch",
  },
  {
    why: "speaks for the device's short id",
    token: makeTokenWithClaims({ sub: "sensor-1" }),
    code: "token_subject_mismatch",
  },
  // Signature.
  {
    why: "was signed by another key",
    token: makeToken({ key: strangerKey }),
    code: "token_signature_invalid",
  },
  {
    why: "is signed over other claims",
    token: `${goodHeaderPart}.${Buffer.from(JSON.stringify({ ...goodClaims, exp: now + 3591 })).toString("base64url")}.${goodSignaturePart}`,
    code: "token_signature_invalid",
  },
  {
    why: "has a DER signature",
    token: signedBy(goodHeader, (input) => signText(input, key1.privateKey, "der")),
    code: "token_signature_malformed",
  },
  {
    why: "has a signature of another curve",
    token: signedBy(goodHeader, (input) => signText(input, p384.privateKey)),
    code: "token_signature_malformed",
  },
  {
    why: "has no signature",
    token: `${goodHeaderPart}.${goodClaimsPart}.`,
    code: "token_signature_malformed",
  },
  {
    why: "has 63 bytes of signature",
    token: makeToken({ signature: new Uint8Array(63).fill(1) }),
    code: "token_signature_malformed",
  },
  { why: "has r and s of 0", token: withRs(zero, zero), code: "token_signature_malformed" },
  { why: "has r of 0", token: withRs(zero, one), code: "token_signature_malformed" },
  { why: "has s of 0", token: withRs(one, zero), code: "token_signature_malformed" },
  { why: "has r of n", token: withRs(order, one), code: "token_signature_malformed" },
  { why: "has s of n", token: withRs(one, order), code: "token_signature_malformed" },
  { why: "has s above n", token: withRs(one, "ff".repeat(32)), code: "token_signature_malformed" },
  {
    why: "is an empty RS256",
    token: makeToken({ header: { alg: "RS256" }, signature: new Uint8Array(0) }),
    code: "token_signature_malformed",
  },
];

for (const { why, token, code, only } of refusals) {
  test(`a token is refused with ${code} when it ${why}`, () => {
    if (only !== "iot-core") assert.equal(refusal(token).code, code);
    if (only !== "strict") assert.equal(refusal(token, lenient).code, code);
  });
}

test("a key of another curve on record verifies nothing", () => {
  const device = makeDevice({ keys: [candidate(p384, "active", { alg: "ES256" })] });

  assert.equal(refusal(good, makeContext({ device })).code, "token_signature_invalid");
});

test("an EC key is never tried for RS256, and an RSA key never for ES256", () => {
  const verifier = new NodeVerifier();
  const rsa = makeDevice({ keys: [candidate(makeRsaKey("r1"))] });
  const token = makeToken({ header: { alg: "RS256" }, key: makeRsaKey("r2") });

  assert.equal(refusal(good, makeContext({ device: rsa }), verifier).code, "key_none");
  assert.equal(refusal(token, makeContext(), verifier).code, "key_none");
  assert.deepEqual([verifier.verified, verifier.dummies], [0, 2]);
});

test("the last character of a signature has one spelling only", () => {
  const last = good.at(-1) ?? "";
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const twin = alphabet[alphabet.indexOf(last) ^ 1] ?? "";

  for (const context of [makeContext(), lenient]) {
    assert.equal(refusal(good.slice(0, -1) + twin, context).code, "token_malformed");
  }
});

test("typ may be absent, and is compared without case", () => {
  for (const header of [{ alg: "ES256" }, { alg: "ES256", typ: "jwt" }, { alg: "ES256", typ: "Jwt" }]) {
    assert.equal(verify(makeToken({ header })).keyId, "k1");
  }
});

test("header members and claims we do not know are ignored", () => {
  const token = makeToken({
    header: { ...goodHeader, cty: "x", extra: { a: [1, null] } },
    claims: { ...goodClaims, jti: "1", scope: ["a"], u: "text" },
  });

  assert.deepEqual(verify(token).claims, goodClaims);
});

test("claim u is read where it is a whole number of seconds", () => {
  assert.equal(verify(makeTokenWithClaims({ u: 3 })).claims.u, 3);
  assert.equal(verify(makeTokenWithClaims({ u: -3 })).claims.u, undefined);
});

test("a token of the largest size allowed is taken", () => {
  const bare = makeToken({ header: { ...goodHeader, x: "" } });
  const room = Math.floor(((tokenBytesMax - bare.length) * 3) / 4) - 2;

  const token = makeToken({ header: { ...goodHeader, x: "x".repeat(room) } });

  assert.ok(token.length > tokenBytesMax - 8 && token.length <= tokenBytesMax);
  assert.equal(verify(token).keyId, "k1");
});

test("skew forgives an iat in the future up to its last second", () => {
  const at = (iat: number) => makeTokenWithClaims({ iat, exp: iat + 600 });

  assert.equal(verify(at(now + 90)).claims.iat, now + 90);
  assert.equal(refusal(at(now + 91)).code, "token_from_future");
  assert.equal(verify(at(now + 600), lenient).claims.iat, now + 600);
  assert.equal(refusal(at(now + 601), lenient).code, "token_from_future");
});

test("skew does not forgive an exp in the past, grace does", () => {
  const at = (exp: number) => makeTokenWithClaims({ iat: exp - 3600, exp });

  assert.equal(verify(at(now + 1)).claims.exp, now + 1);
  assert.equal(refusal(at(now)).code, "token_expired");
  assert.equal(verify(at(now - 599), lenient).claims.exp, now - 599);
  assert.equal(refusal(at(now - 600), lenient).code, "token_expired");
});

test("strict honours nbf with skew, iot-core does not look at it", () => {
  const at = (nbf: unknown) => makeTokenWithClaims({ nbf });

  assert.equal(verify(at(now + 90)).claims.nbf, now + 90);
  assert.equal(refusal(at(now + 91)).code, "token_not_yet_valid");
  assert.equal(verify(at(now + 5000), lenient).claims.nbf, undefined);
  assert.equal(verify(at("tomorrow"), lenient).keyId, "k1");
});

test("a lifetime is taken up to the registry's maximum", () => {
  const living = (lifetime: number) => makeTokenWithClaims({ exp: goodClaims.iat + lifetime });

  assert.equal(verify(living(86_400)).keyId, "k1");
  assert.equal(refusal(living(86_401)).code, "token_lifetime_too_long");
  assert.equal(verify(living(87_000), lenient).keyId, "k1");
});

test("sub may be the device's name by string id or by numeric id", () => {
  assert.equal(verify(makeTokenWithClaims({ sub: numericPath })).claims.sub, numericPath);
});

test("strict wants a sub from an agent of ours only; iot-core from nobody", () => {
  const token = makeTokenWithClaims({ sub: undefined });

  assert.equal(verify(token).claims.sub, undefined);
  assert.equal(refusal(token, makeContext({ ownAgent: true })).code, "token_subject_missing");
  assert.equal(verify(token, { ...lenient, ownAgent: true }).keyId, "k1");
});

test("iot-core takes padded, standard-alphabet and string-dated tokens and says what it forgave", () => {
  const claims = { aud: "mayfly", iat: `${now - 10}`, exp: `${now + 60}`, note: "??>>~~" };
  const input = [goodHeader, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64"))
    .join(".");
  const token = `${input}.${Buffer.from(signText(input, key1.privateKey)).toString("base64")}`;
  assert.match(input, /[+/]/);
  assert.match(token, /=$/);

  const verified = verify(token, lenient);

  assert.deepEqual([...verified.leniencies].sort(), [
    "digit_string_times",
    "padded_base64",
    "standard_alphabet",
  ]);
  assert.deepEqual(verified.claims, { aud: "mayfly", iat: now - 10, exp: now + 60 });
  assert.equal(refusal(token).code, "token_malformed");
});

test("a token that needs no leniency reports none", () => {
  assert.deepEqual(verify(good, lenient).leniencies, []);
});

test("the deadline is the least of exp + grace and the key's expiration time", () => {
  const until = (expiresAtSeconds: number, context: VerificationContext) =>
    verify(good, {
      ...context,
      device: makeDevice({ keys: [candidate(key1, "retiring", { expiresAtSeconds })] }),
    }).deadlineSeconds;

  assert.equal(until(now + 60, makeContext()), now + 60);
  assert.equal(until(now + 1e6, makeContext()), goodClaims.exp);
  assert.equal(until(now + 1e6, lenient), goodClaims.exp + 600);
});

test("a pending key verifies, and says that it is pending, unless the policy refuses pending keys", () => {
  const device = makeDevice({ keys: [candidate(key1, "pending")] });

  assert.equal(verify(good, makeContext({ device })).keyState, "pending");
  const policy = { ...policyPresets.strict, pendingKeys: "refuse" } as const;
  assert.equal(refusal(good, makeContext({ device, policy })).code, "key_pending");
});

for (const [state, code] of [
  ["retired", "key_retired"],
  ["revoked", "key_revoked"],
] as const) {
  test(`a token of a ${state} key is refused with ${code}, known to be authentic, also beside good keys`, () => {
    const device = makeDevice({ keys: [candidate(key2), candidate(key1, state)] });

    const error = refusal(good, makeContext({ device }));

    assert.deepEqual([error.code, error.authenticity, error.facts], [code, "authentic", { keyId: "k1" }]);
  });

  test(`a token of a stranger is not blamed on a ${state} key`, () => {
    const device = makeDevice({ keys: [candidate(key1, state)] });

    const error = refusal(makeToken({ key: strangerKey }), makeContext({ device }));

    assert.deepEqual([error.code, error.authenticity], ["key_none", undefined]);
  });
}

test("a key past its date is refused with key_expired", () => {
  const device = makeDevice({ keys: [candidate(key1, "active", { expiresAtSeconds: now })] });

  assert.equal(refusal(good, makeContext({ device })).code, "key_expired");
});

test("kid is a hint: the right one saves work, a wrong one costs no admission", () => {
  const device = makeDevice({ keys: [candidate(key2), candidate(key1)] });
  const cost = (kid: string) => {
    const verifier = new NodeVerifier();
    verifyDeviceToken(makeToken({ header: { ...goodHeader, kid } }), makeContext({ device }), verifier);
    return verifier.verified;
  };

  assert.equal(cost("k1"), 1);
  assert.equal(cost("k2"), 2);
  assert.equal(cost("unknown"), 2);
});

test("the last key that verified is tried first", () => {
  const verifier = new NodeVerifier();
  const device = makeDevice({ keys: [candidate(key2), candidate(key1)], lastKeyId: "k1" });

  verifyDeviceToken(good, makeContext({ device }), verifier);

  assert.equal(verifier.verified, 1);
});

test("at most 3 keys that may verify and 3 that may not are tried, however many are on record", () => {
  const verifier = new NodeVerifier();
  const keys = Array.from({ length: 12 }, (_, i) => candidate(key2, i % 2 === 0 ? "active" : "retired"));

  refusal(good, makeContext({ device: makeDevice({ keys }) }), verifier);

  assert.equal(verifier.verified, 6);
});

test("a token older than the device's tokens may be is superseded", () => {
  const since = (tokensNotBeforeSeconds: number) =>
    makeContext({ device: makeDevice({ tokensNotBeforeSeconds }) });

  assert.equal(verify(good, since(goodClaims.iat)).keyId, "k1");
  assert.equal(refusal(good, since(goodClaims.iat + 1)).code, "token_superseded");
});

for (const [who, device, code] of [
  ["an unknown device", undefined, "device_unknown"],
  ["a blocked device", makeDevice({ blocked: true }), "device_blocked"],
  ["a device without keys", makeDevice({ keys: [] }), "key_none"],
] as const) {
  test(`${who} costs one dummy verification, like a wrong key costs a real one`, () => {
    const verifier = new NodeVerifier();

    assert.equal(refusal(good, makeContext({ device }), verifier).code, code);

    assert.deepEqual([verifier.verified, verifier.dummies], [0, 1]);
  });

  test(`a signature of the wrong form costs nothing, also for ${who}`, () => {
    const verifier = new NodeVerifier();

    refusal(makeToken({ signature: new Uint8Array(64) }), makeContext({ device }), verifier);

    assert.deepEqual([verifier.verified, verifier.dummies], [0, 0]);
  });
}

test("refusals that need no signature cost none", () => {
  const verifier = new NodeVerifier();

  for (const { token, code } of refusals) {
    if (code !== "token_signature_invalid") refusal(token, makeContext(), verifier);
  }

  assert.deepEqual([verifier.verified, verifier.dummies], [0, 0]);
});

const expired = makeTokenWithClaims({ iat: now - 7200, exp: now - 3600 });
const early = makeTokenWithClaims({ iat: now + 7200, exp: now + 7300 });
const looking = makeContext({ verifyWhenTimeFails: true });

test("when time alone fails and nobody asks, the signature is not looked at", () => {
  const verifier = new NodeVerifier();

  assert.equal(refusal(expired, makeContext(), verifier).authenticity, undefined);
  assert.equal(refusal(early, makeContext(), verifier).authenticity, undefined);
  assert.equal(verifier.verified, 0);
});

for (const [name, token, code] of [
  ["expired", expired, "token_expired"],
  ["early", early, "token_from_future"],
  ["not yet valid", makeTokenWithClaims({ nbf: now + 5000 }), "token_not_yet_valid"],
] as const) {
  test(`when time alone fails, an ${name} token of the device is known to be authentic`, () => {
    const error = refusal(token, looking);

    assert.deepEqual([error.code, error.authenticity], [code, "authentic"]);
  });
}

test("a token that fails in time is unauthenticated unless all else is right", () => {
  const late = { iat: now - 7200, exp: now - 3600 };
  const others: readonly (readonly [string, VerificationContext])[] = [
    [makeTokenWithClaims(late, strangerKey), looking],
    [makeTokenWithClaims({ ...late, aud: "other" }), looking],
    [makeTokenWithClaims({ ...late, sub: "other" }), looking],
    [expired, { ...looking, device: undefined }],
    [expired, { ...looking, device: makeDevice({ blocked: true }) }],
    [expired, { ...looking, device: makeDevice({ keys: [candidate(key1, "retired")] }) }],
    [expired, { ...looking, device: makeDevice({ keys: [] }) }],
  ];

  for (const [token, context] of others) {
    const error = refusal(token, context);

    assert.deepEqual([error.code, error.authenticity], ["token_expired", "unauthenticated"]);
  }
});

test("an early token that also lives too long is called early, and is not authentic", () => {
  const error = refusal(makeTokenWithClaims({ iat: now + 7200, exp: now + 1e6 }), looking);

  assert.deepEqual([error.code, error.authenticity], ["token_from_future", "unauthenticated"]);
});

test("refusals come in the order of the design, whatever else is wrong later", () => {
  const broken = { sub: "other", aud: "other", iat: now + 7200, exp: now + 1e6, nbf: now + 8000 };
  const steps: readonly (readonly [Readonly<Record<string, unknown>>, TokenErrorCode])[] = [
    [broken, "token_from_future"],
    [{ ...broken, iat: now }, "token_not_yet_valid"],
    [{ ...broken, iat: now, nbf: now }, "token_lifetime_too_long"],
    [{ ...broken, iat: now - 20, exp: now - 10, nbf: now }, "token_expired"],
    [{ ...broken, iat: now, exp: now + 60, nbf: now }, "token_audience_mismatch"],
    [{ sub: "other" }, "token_subject_mismatch"],
    [{}, "device_blocked"],
  ];
  const context = makeContext({ device: makeDevice({ blocked: true }) });

  const codes = steps.map(([claims]) => refusal(makeTokenWithClaims(claims, strangerKey), context).code);

  assert.deepEqual(
    codes,
    steps.map(([, code]) => code),
  );
});

test("no text makes verification throw anything but a TokenError", () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom(goodHeaderPart, goodClaimsPart, goodSignaturePart),
    fc.json({ maxDepth: 3 }).map((text) => Buffer.from(text).toString("base64url")),
    fc.uint8Array({ maxLength: 70 }).map((bytes) => Buffer.from(bytes).toString("base64")),
  );
  fc.assert(
    fc.property(
      fc.array(piece, { minLength: 1, maxLength: 4 }),
      fc.constantFrom(looking, lenient),
      (pieces, context) => {
        try {
          verify(pieces.join("."), context);
        } catch (error) {
          assert.ok(error instanceof TokenError, String(error));
        }
      },
    ),
    { numRuns: 500 },
  );
});

test("a flipped bit anywhere in a token is a refusal", () => {
  const bytes = Buffer.from(good);
  for (let at = 0; at < bytes.length; at++) {
    const flipped = Buffer.from(bytes);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 7));

    refusal(flipped.toString("latin1"));
  }
});

test("a truncated token is a refusal wherever it ends", () => {
  for (let end = 0; end < good.length; end++) refusal(good.slice(0, end));
});

test("facts never hold the token, its signature or a key", () => {
  for (const { token } of refusals) {
    const error = refusal(token);
    const said = JSON.stringify([error.message, error.facts]);

    for (const part of token.split(".")) assert.ok(part.length < 8 || !said.includes(part));
    assert.ok(said.length < 500);
  }
});
