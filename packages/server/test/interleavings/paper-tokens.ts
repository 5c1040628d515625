/**
 * Tokens on paper: the form of the real ones, and a signature that costs a hash instead of a curve.
 *
 * The bridge verifies through its port, and behind the port here is a table of keys in which a signature is right
 * when it is the one the same table would have written. So hundreds of thousands of tokens are affordable. That
 * real signatures are checked is the business of other tests.
 */
import { hash } from "node:crypto";
import type { KeyState } from "@mayfly/core/token";
import type { ImportedKey, KeyVerifier } from "../../src/auth/key-verifier.ts";
import type { KeyRecord } from "../../src/registry/model.ts";

export interface TokenFacts {
  readonly text: string;
  /** The key that signed it. */
  readonly key: string;
  readonly iat: number;
  readonly exp: number;
  readonly sub: string;
  /** Something that makes it nobody's token whenever it comes. */
  readonly flaw: "none" | "signature" | "audience" | "subject" | "form";
}

const base64Url = (text: string) => Buffer.from(text).toString("base64url");
const header = base64Url('{"alg":"ES256","typ":"JWT"}');

/** 64 bytes that pass for R‖S: both halves above 0 and below the order of P-256. */
function signatureOf(pem: string, signingInput: string): Buffer {
  const bytes = hash("sha512", `${pem}\n${signingInput}`, "buffer");
  for (const at of [0, 32]) bytes[at] = ((bytes[at] ?? 0) & 0x7f) | 1;
  return bytes;
}

const pemOf = (key: string) => `paper key ${key}`;

export function paperKey(name: string, state: KeyState, expiresAtSeconds?: number): KeyRecord {
  return {
    keyId: name,
    state,
    format: "ES256_PEM",
    pem: pemOf(name),
    fingerprint: hash("sha256", pemOf(name)),
    createdMs: 0,
    ...(expiresAtSeconds === undefined ? {} : { expiresAtSeconds }),
  };
}

export function paperToken(facts: Omit<TokenFacts, "text">): TokenFacts {
  const { key, iat, exp, sub, flaw } = facts;
  if (flaw === "form") return { ...facts, text: "no.token" };
  const claims = {
    aud: flaw === "audience" ? "somewhere-else" : "mayfly",
    iat,
    exp,
    sub: flaw === "subject" ? `${sub}-not` : sub,
  };
  const signingInput = `${header}.${base64Url(JSON.stringify(claims))}`;
  const signer = flaw === "signature" ? "a key of nobody" : pemOf(key);
  return { ...facts, text: `${signingInput}.${signatureOf(signer, signingInput).toString("base64url")}` };
}

interface PaperKey extends ImportedKey {
  readonly pem: string;
}
const isPaperKey = (key: ImportedKey): key is PaperKey => "pem" in key;

export const paperVerifier: KeyVerifier = {
  importKey: (pem): PaperKey => ({ pem }),
  verify: (_alg, key, signingInput, signature) =>
    isPaperKey(key) &&
    signatureOf(key.pem, Buffer.from(signingInput).toString()).equals(Buffer.from(signature)),
  verifyDummy: () => undefined,
};
