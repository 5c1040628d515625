/**
 * Device tokens. An input whose first byte is even is a token as it comes; of an odd one the first line is a header and
 * the rest are claims, and both are signed properly, so that what is behind the signature is reached.
 *
 * Promised: nothing is thrown but a TokenError; what `strict` takes, `iot-core` takes; and a token is taken only if
 * OpenSSL verifies its signature over the very text that came, and JSON.parse finds the right claims in it.
 */
import { createVerify } from "node:crypto";
import { policyPresets, TokenError, verifyDeviceToken } from "@mayfly/core/token";
import { NodeVerifier } from "../../../packages/core/test/node-verifier.ts";
import {
  goodClaims,
  goodHeader,
  key1,
  makeContext,
  makeToken,
  now,
  signText,
} from "../../../packages/core/test/token-maker.ts";
import { bytesOf, type FuzzTarget, promise, textOf } from "../target.ts";

const verifier = new NodeVerifier();
const claims = JSON.stringify(goodClaims);
const header = JSON.stringify(goodHeader);

export async function openTokenTarget(): Promise<FuzzTarget> {
  const signed = (head: string, body: string) => bytesOf(`\x01${head}\n${body}`);
  return {
    name: "token",
    seeds: [
      bytesOf(`\x00${makeToken()}`),
      bytesOf(`\x00${makeToken({ header: { alg: "none" } })}`),
      signed(header, claims),
      signed('{"alg":"ES256"}', `{"aud":"mayfly","iat":"${now}","exp":"${now + 60}"}`),
      signed(
        '{"alg":"ES256","typ":"JWT","kid":"k1"}',
        `{"aud":"mayfly","iat":${now},"exp":${now + 60},"nbf":${now}}`,
      ),
      signed(
        header,
        `{ "aud" : "mayfly" , "iat" : ${now}.5e0 , "exp" : ${now}9e-1, "u": 12, "\\u0061": [1,{"b":null}] }`,
      ),
    ],
    dictionary: [
      '"aud"',
      '"iat"',
      '"exp"',
      '"nbf"',
      '"sub"',
      '"crit":["b64"]',
      '"alg":"none"',
      '"alg":"HS256"',
      '"__proto__":',
      "1e999",
      "-0",
      "9007199254740993",
      "\\u0000",
      "\\ud800",
      "null",
      "[",
      "{",
      ".",
      "=",
      "==",
      "+",
      "/",
      " ",
    ].map(bytesOf),
    run(input) {
      const text = textOf(input.subarray(1));
      const token = ((input[0] ?? 0) & 1) === 0 ? text : signedOf(text);
      const strict = isTaken(token, "strict");
      const lenient = isTaken(token, "iot-core");
      promise(!strict || lenient, "a token that strict takes is refused by iot-core");
      if (lenient) checkTaken(token, strict);
    },
    async close() {},
  };
}

function signedOf(text: string): string {
  const end = text.indexOf("\n");
  const [head, body] = end < 0 ? [header, text] : [text.slice(0, end), text.slice(end + 1)];
  // As it is, not as UTF-8: bytes that are no text must reach the parser too.
  const signingInput = [head, body]
    .map((part) => Buffer.from(part, "latin1").toString("base64url"))
    .join(".");
  return `${signingInput}.${Buffer.from(signText(signingInput, key1.privateKey)).toString("base64url")}`;
}

function isTaken(token: string, preset: "strict" | "iot-core"): boolean {
  try {
    verifyDeviceToken(token, makeContext({ policy: policyPresets[preset] }), verifier);
    return true;
  } catch (error) {
    if (error instanceof TokenError) return false;
    throw error;
  }
}

function checkTaken(token: string, byStrict: boolean): void {
  const [head = "", body = "", signature = "", ...more] = token.split(".");
  promise(more.length === 0, "a token of more than three parts is taken");
  const check = createVerify("sha256").update(`${head}.${body}`, "latin1");
  const raw = Buffer.from(signature.replaceAll("-", "+").replaceAll("_", "/"), "base64");
  const holds = check.verify({ key: key1.publicKey, dsaEncoding: "ieee-p1363" }, raw);
  promise(raw.length === 64 && holds, "a token is taken whose signature OpenSSL refuses");
  const { alg } = jsonOf(head);
  promise(alg === "ES256", "a token is taken that names another algorithm");
  const { aud, iat, exp } = jsonOf(body);
  const [skew, grace, longest] = byStrict ? [90, 0, 86_400] : [600, 600, 87_000];
  promise(aud === "mayfly", "a token is taken that is for somebody else");
  const [from, to] = [Number(iat), Number(exp)];
  promise(
    from <= now + skew && now < to + grace && to - from <= longest,
    "a token is taken that is not timely",
  );
}

function jsonOf(part: string): Readonly<Record<string, unknown>> {
  const bytes = Buffer.from(part.replaceAll("-", "+").replaceAll("_", "/"), "base64");
  return JSON.parse(bytes.toString("utf8")) as Record<string, unknown>;
}
