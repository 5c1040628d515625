/**
 * Makes device tokens for tests, right ones and, piece by piece, wrong ones.
 */
import { createHmac, type KeyObject, sign } from "node:crypto";
import type { CandidateKey, KeyState } from "../src/token/key-state.ts";
import { policyPresets } from "../src/token/policy.ts";
import type { DeviceFacts, VerificationContext } from "../src/token/verify.ts";
import { makeEcKey, type TestKey } from "./node-verifier.ts";

export const now = 1_700_000_000;
export const devicePath = "projects/mayfly/locations/lab/registries/demo/devices/sensor-1";
export const numericPath = "projects/mayfly/locations/lab/registries/demo/devices/2928540609735937";

export const key1 = makeEcKey("k1");
export const key2 = makeEcKey("k2");
export const strangerKey = makeEcKey("stranger");

export const goodHeader = { alg: "ES256", typ: "JWT" };
export const goodClaims = { aud: "mayfly", iat: now - 10, exp: now + 3590, sub: devicePath };

export interface TokenParts {
  /** An object, or the very text of the JSON. */
  readonly header?: object | string;
  readonly claims?: object | string;
  readonly key?: TestKey;
  readonly signature?: Uint8Array;
}

export function makeToken(parts: TokenParts = {}): string {
  const text = (part: object | string) => (typeof part === "string" ? part : JSON.stringify(part));
  const signingInput = [parts.header ?? goodHeader, parts.claims ?? goodClaims]
    .map((part) => Buffer.from(text(part)).toString("base64url"))
    .join(".");
  const signature = parts.signature ?? signText(signingInput, (parts.key ?? key1).privateKey);
  return `${signingInput}.${Buffer.from(signature).toString("base64url")}`;
}

/** Replaces claims of a good token; `undefined` removes one. */
export function makeTokenWithClaims(change: Readonly<Record<string, unknown>>, key?: TestKey): string {
  return makeToken({ claims: { ...goodClaims, ...change }, ...(key === undefined ? undefined : { key }) });
}

export function signText(
  text: string,
  key: KeyObject,
  dsaEncoding: "ieee-p1363" | "der" = "ieee-p1363",
): Uint8Array {
  return new Uint8Array(sign("sha256", Buffer.from(text), { key, dsaEncoding }));
}

/** The key confusion attack: HMAC under the text of the public key. */
export function hmacText(text: string, key: KeyObject): Uint8Array {
  return new Uint8Array(
    createHmac("sha256", key.export({ type: "spki", format: "pem" }))
      .update(text)
      .digest(),
  );
}

export function candidate(
  key: TestKey,
  state: KeyState = "active",
  more: Partial<CandidateKey> = {},
): CandidateKey {
  return {
    keyId: key.keyId,
    alg: key.publicKey.asymmetricKeyType === "rsa" ? "RS256" : "ES256",
    state,
    handle: key.publicKey,
    ...more,
  };
}

export function makeDevice(change: Partial<DeviceFacts> = {}): DeviceFacts {
  return { blocked: false, keys: [candidate(key1)], ...change };
}

/** A strict registry that knows the device with {@link key1}. */
export function makeContext(change: Partial<VerificationContext> = {}): VerificationContext {
  return {
    policy: policyPresets.strict,
    now,
    audience: "mayfly",
    devicePaths: [devicePath, numericPath],
    ownAgent: false,
    device: makeDevice(),
    verifyWhenTimeFails: false,
    ...change,
  };
}
