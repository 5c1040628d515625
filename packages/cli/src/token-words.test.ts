import assert from "node:assert/strict";
import { test } from "node:test";
import { describeToken } from "./token-words.ts";

const token = {
  header: { alg: "ES256", typ: "JWT" },
  claims: { aud: "mayfly", iat: 1_000, exp: 4_600 },
  signature: new Uint8Array(64),
  leniencies: [],
};

test("the first line says that nothing was verified", () => {
  assert.match(describeToken(token, 2_000)[0] ?? "", /^not verified/);
});

test("times are told beside the present", () => {
  const text = describeToken(token, 4_660).join("\n");

  assert.match(text, /^iat .*1970-01-01T00:16:40\.000Z, issued 1 h 1 min ago$/m);
  assert.match(text, /^exp .*expired 1 min ago$/m);
  assert.match(text, /^lifetime {3}1 h$/m);
});

test("an expiry in the future is not called expired", () => {
  assert.match(describeToken(token, 4_590).join("\n"), /^exp .*expires in 10 s$/m);
});

test("what a token says cannot write to the terminal", () => {
  const text = describeToken({ ...token, claims: { ...token.claims, aud: "\u001b[2Jx" } }, 0).join("\n");

  assert.ok(!text.includes("\u001b"));
});

test("claims of the wrong kind are shown, not hidden", () => {
  const text = describeToken({ ...token, claims: { aud: ["a", "b"], iat: "1000", exp: {} } }, 0).join("\n");

  assert.match(text, /^aud .*\["a","b"\]/m);
  assert.match(text, /^iat .*written as a string, which strict registries refuse/m);
  assert.match(text, /^exp .*\{\}, not a number of seconds/m);
});

test("a DER signature is told from R‖S by its length", () => {
  assert.match(
    describeToken({ ...token, signature: new Uint8Array(71) }, 0).join("\n"),
    /71 bytes; ES256 wants R‖S/,
  );
});
