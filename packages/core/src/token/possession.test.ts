import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  makeEcKey,
  makeRsaKey,
  makeSigner,
  NodeVerifier,
  nodeSha256,
  signEs256,
} from "../../test/node-verifier.ts";
import { candidate, makeContext, makeDevice, makeToken } from "../../test/token-maker.ts";
import { base64urlEncode, utf8Decode, utf8Encode } from "../bytes.ts";
import {
  encodePossessionSigningInput,
  type PossessionFacts,
  statePossession,
  verifyPossession,
} from "./possession.ts";
import { TokenError, type TokenErrorCode } from "./token-error.ts";
import { verifyDeviceToken } from "./verify.ts";

const key = makeEcKey("slot-0");
const other = makeEcKey("slot-2");
const rsa = makeRsaKey("rsa");
const ports = { sha256: nodeSha256, verifier: new NodeVerifier() };

const facts: PossessionFacts = {
  chipSerial: "01237a1b4d2e3c91ee",
  slot: 0,
  publicKey: rawKey(key),
  challenge: new Uint8Array(32).fill(7),
};

function rawKey({ publicKey }: typeof key): Uint8Array {
  return new Uint8Array(publicKey.export({ type: "spki", format: "der" }).subarray(-64));
}

async function state(what: PossessionFacts = facts, by = key): Promise<string> {
  const { signer, sha256 } = makeSigner(by);
  return await statePossession(what, signer, sha256);
}

/** A statement with a header and claims of the test's choice. */
function forge(header: object, claims: object, by = key): string {
  const part = (value: object) => base64urlEncode(utf8Encode(JSON.stringify(value)));
  const input = `${part(header)}.${part(claims)}`;
  return `${input}.${base64urlEncode(signEs256(by, utf8Encode(input)))}`;
}

const [, claimsPart = ""] = utf8Decode(encodePossessionSigningInput(facts, nodeSha256)).split(".");
const claims = JSON.parse(Buffer.from(claimsPart, "base64url").toString()) as Record<string, unknown>;
const header = { alg: "ES256", typ: "mayfly-possession+jwt" };

function refusal(statement: string, what = facts, handle: unknown = key.publicKey): TokenErrorCode {
  try {
    verifyPossession(statement, what, handle, ports);
  } catch (error) {
    assert.ok(error instanceof TokenError, String(error));
    return error.code;
  }
  assert.fail("the statement was taken");
}

test("a statement made for a challenge verifies", async () => {
  verifyPossession(await state(), facts, key.publicKey, ports);
});

test("a statement names its type, chip, slot, key and challenge", () => {
  const [headerPart = ""] = utf8Decode(encodePossessionSigningInput(facts, nodeSha256)).split(".");

  assert.deepEqual(JSON.parse(Buffer.from(headerPart, "base64url").toString()), header);
  assert.deepEqual(Object.keys(claims), ["chip", "slot", "jkt", "nonce"]);
  assert.equal(claims["nonce"], Buffer.alloc(32, 7).toString("base64url"));
});

test("the key's name is the thumbprint of RFC 7638", () => {
  // Computed the RFC's way by another hand: members in order, no white space, SHA-256.
  const { x = "", y = "" } = key.publicKey.export({ format: "jwk" });
  const text = `{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`;

  assert.equal(claims["jkt"], Buffer.from(nodeSha256.digest(utf8Encode(text))).toString("base64url"));
});

const { chip, slot, jkt, nonce } = claims;
const refusals: readonly { why: string; statement: string; code: TokenErrorCode }[] = [
  { why: "has no typ", statement: forge({ alg: "ES256" }, claims), code: "token_header_unsupported" },
  {
    why: "has the typ of a token",
    statement: forge({ alg: "ES256", typ: "JWT" }, claims),
    code: "token_header_unsupported",
  },
  {
    why: "has alg RS256",
    statement: forge({ ...header, alg: "RS256" }, claims),
    code: "token_algorithm_unsupported",
  },
  {
    why: "has alg none",
    statement: forge({ ...header, alg: "none" }, claims),
    code: "token_algorithm_unsupported",
  },
  {
    why: "brings a key along",
    statement: forge({ ...header, jwk: {} }, claims),
    code: "token_header_unsupported",
  },
  { why: "lacks a claim", statement: forge(header, { chip, slot, jkt }), code: "token_subject_mismatch" },
  {
    why: "has one claim more",
    statement: forge(header, { ...claims, exp: 1 }),
    code: "token_subject_mismatch",
  },
  {
    why: "has the slot as text",
    statement: forge(header, { chip, slot: "0", jkt, nonce }),
    code: "token_subject_mismatch",
  },
  { why: "is by another key", statement: forge(header, claims, other), code: "token_signature_invalid" },
  {
    why: "has a signature of zeros",
    statement: `${forge(header, claims).split(".").slice(0, 2).join(".")}.${"A".repeat(86)}`,
    code: "token_signature_malformed",
  },
  { why: "is a word", statement: "possession", code: "token_malformed" },
  { why: "is too long", statement: "a".repeat(8193), code: "token_too_large" },
];
for (const { why, statement, code } of refusals) {
  test(`a statement that ${why} is refused: ${code}`, () => {
    assert.equal(refusal(statement), code);
  });
}

test("a statement about another chip, slot, key or challenge is refused", async () => {
  const others: readonly Partial<PossessionFacts>[] = [
    { chipSerial: "01237a1b4d2e3c91ef" },
    { slot: 2 },
    { publicKey: rawKey(other) },
    { challenge: new Uint8Array(32) },
  ];
  for (const changes of others) {
    assert.equal(refusal(await state({ ...facts, ...changes })), "token_subject_mismatch");
  }
});

test("a statement is no token, and a token no statement", async () => {
  const device = makeDevice({ keys: [candidate(key)] });

  const statement = await state();

  assert.throws(
    () => verifyDeviceToken(statement, makeContext({ device }), new NodeVerifier()),
    (error) => error instanceof TokenError && error.code === "token_header_unsupported",
  );
  assert.equal(refusal(makeToken({ key })), "token_header_unsupported");
});

test("a challenge of another length is the caller's mistake", () => {
  assert.throws(
    () => encodePossessionSigningInput({ ...facts, challenge: new Uint8Array(31) }, nodeSha256),
    RangeError,
  );
});

test("a signer that answers with something else than R‖S is refused", async () => {
  const signer = { signDigest: async () => new Uint8Array(63) };

  await assert.rejects(
    statePossession(facts, signer, nodeSha256),
    (error) => error instanceof TokenError && error.code === "token_signature_malformed",
  );
});

test("no text makes the verifier throw anything but its own error", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 400 }), (text) => {
      assert.ok(refusal(text, facts, rsa.publicKey) !== undefined);
    }),
  );
});
