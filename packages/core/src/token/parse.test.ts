import assert from "node:assert/strict";
import test from "node:test";
import { makeToken } from "../../test/token-maker.ts";
import { parseToken } from "./parse.ts";
import { policyPresets } from "./policy.ts";
import { TokenError } from "./token-error.ts";

test("a look into a token judges nothing but its form", () => {
  const header = { alg: "none", crit: ["x"], nested: { a: [1] } };
  const claims = { aud: ["a", "b"], exp: "soon" };

  const parsed = parseToken(makeToken({ header, claims, signature: Uint8Array.of(1) }), policyPresets.strict);

  assert.deepEqual(parsed, { header, claims, signature: Uint8Array.of(1), leniencies: [] });
});

test("a look into a token refuses duplicate members, also those of the prototype's name", () => {
  for (const claims of ['{"exp":1,"exp":2}', '{"__proto__":{},"__proto__":{}}']) {
    assert.throws(
      () => parseToken(makeToken({ claims }), policyPresets.strict),
      (error) => error instanceof TokenError && error.facts["because"] === "json_member_duplicate",
    );
  }
});

test("a member called __proto__ is a member like another", () => {
  const { claims } = parseToken(makeToken({ claims: '{"__proto__":{"admin":true}}' }), policyPresets.strict);

  assert.deepEqual(Object.keys(claims), ["__proto__"]);
  assert.equal(claims["admin"], undefined);
});

test("padding is forgiven where the policy says so, and reported", () => {
  const token = makeToken({ signature: Uint8Array.of(1) });

  assert.deepEqual(parseToken(`${token}==`, policyPresets["iot-core"]).leniencies, ["padded_base64"]);
  assert.throws(() => parseToken(`${token}==`, policyPresets.strict), TokenError);
});
