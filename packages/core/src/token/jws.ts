/**
 * JWS Compact Serialization (RFC 7515 §3.1) of a device token: three parts, and the header judged.
 *
 * The header may name an algorithm, a type and a key, no more than that decides anything. Members that
 * would have us extend the format (`crit`) or fetch or believe a key the token brings along (`jwk`, `jku`,
 * `x5c`, `x5u`) are refused rather than ignored: no firmware known to us sends them, and a refusal is seen.
 */
import { BytesError, base64LenientDecode, base64urlDecode, utf8Decode } from "../bytes.ts";
import type { Leniency } from "./claims.ts";
import { JsonError, type JsonMembers, readJsonObject } from "./json-object.ts";
import type { TokenAlgorithm } from "./key-state.ts";
import type { TokenPolicy } from "./policy.ts";
import { TokenError } from "./token-error.ts";

/** Longest token, in bytes; a longer one is refused before anything of it is read. */
export const tokenBytesMax = 8192;

/** The types a JWS of ours may have; every verifier insists on its own. */
export type TokenType = "JWT";

export interface JwsParts {
  readonly header: JsonMembers;
  readonly payload: JsonMembers;
  readonly signature: Uint8Array;
  /** ASCII of header and payload as they came, with the dot between. */
  readonly signingInput: Uint8Array;
  readonly leniencies: Leniency[];
}

/**
 * Takes a token apart. Nothing in it is judged yet but its form.
 *
 * @throws {TokenError} `token_too_large`, `token_malformed`.
 */
export function splitJws(token: string, policy: Pick<TokenPolicy, "looseBase64">): JwsParts {
  const { headerText, payloadText, signatureText, signingText } = cutJws(token);
  const leniencies: Leniency[] = [];
  return {
    header: readMembers(decodeText(headerText, "header", policy, leniencies), "header"),
    payload: readMembers(decodeText(payloadText, "payload", policy, leniencies), "payload"),
    signature: decodePart(signatureText, "signature", policy, leniencies),
    signingInput: asciiBytes(signingText),
    leniencies,
  };
}

interface JwsTexts {
  readonly headerText: string;
  readonly payloadText: string;
  readonly signatureText: string;
  readonly signingText: string;
}

/** @throws {TokenError} `token_too_large`, `token_malformed`. */
export function cutJws(token: string): JwsTexts {
  // UTF-16 units never outnumber bytes, and what is not ASCII is no base64 either.
  if (token.length > tokenBytesMax) {
    throw new TokenError("token_too_large", `token longer than ${tokenBytesMax} bytes`, {
      bytesMax: tokenBytesMax,
    });
  }
  const first = token.indexOf(".");
  const second = token.indexOf(".", first + 1);
  if (first < 0 || second < 0 || token.indexOf(".", second + 1) >= 0) {
    throw malformed("token", "does not have three parts");
  }
  return {
    headerText: token.slice(0, first),
    payloadText: token.slice(first + 1, second),
    signatureText: token.slice(second + 1),
    signingText: token.slice(0, second),
  };
}

type PartName = "header" | "payload" | "signature";

/** @throws {TokenError} `token_malformed`. */
export function decodePart(
  text: string,
  part: PartName,
  policy: Pick<TokenPolicy, "looseBase64">,
  leniencies: Leniency[],
): Uint8Array {
  try {
    if (!policy.looseBase64) return base64urlDecode(text);
    const isPadded = text.endsWith("=");
    const isStandard = text.includes("+") || text.includes("/");
    if (!isPadded && !isStandard) return base64urlDecode(text);
    const bytes = base64LenientDecode(text);
    if (isPadded && !leniencies.includes("padded_base64")) leniencies.push("padded_base64");
    if (isStandard && !leniencies.includes("standard_alphabet")) leniencies.push("standard_alphabet");
    return bytes;
  } catch (error) {
    if (error instanceof BytesError) throw malformed(part, "is not canonical base64url");
    throw error;
  }
}

/** @throws {TokenError} `token_malformed`. */
export function decodeText(
  text: string,
  part: PartName,
  policy: Pick<TokenPolicy, "looseBase64">,
  leniencies: Leniency[],
): string {
  const bytes = decodePart(text, part, policy, leniencies);
  try {
    return utf8Decode(bytes);
  } catch (error) {
    if (error instanceof BytesError) throw malformed(part, "is not UTF-8");
    throw error;
  }
}

/** @throws {TokenError} `token_malformed`. */
export function readMembers(text: string, part: PartName): JsonMembers {
  try {
    return readJsonObject(text);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw new TokenError("token_malformed", `${part} is not a JSON object we take: ${error.code}`, {
      part,
      because: error.code,
    });
  }
}

function malformed(part: PartName | "token", rule: string): TokenError {
  return new TokenError("token_malformed", `${part} ${rule}`, { part });
}

// Base64 has been decoded from it, so every unit is ASCII.
function asciiBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** What a header says that we act on. */
export interface JoseHeader {
  readonly alg: TokenAlgorithm;
  /** A hint which key to try first; no authority. */
  readonly kid?: string;
}

const refusedMembers = ["crit", "jwk", "jku", "x5c", "x5u"] as const;

/**
 * @param type The one type this verifier takes. A device token may also have none (Cloud IoT Core's
 *   documents ask for one, its firmware does not always comply). Compared without case, as media types
 *   are (RFC 7515 §4.1.9).
 * @throws {TokenError} `token_algorithm_unsupported`, `token_header_unsupported`.
 */
export function judgeHeader(header: JsonMembers, type: TokenType): JoseHeader {
  const alg = header.get("alg");
  if (alg !== "ES256" && alg !== "RS256") {
    throw new TokenError("token_algorithm_unsupported", "the algorithm is neither ES256 nor RS256", {
      alg: typeof alg === "string" ? alg.slice(0, algShownMax) : "",
    });
  }
  const typ = header.get("typ");
  if (typ !== undefined && typ !== type && !(typeof typ === "string" && isSameIgnoringCase(typ, type))) {
    throw headerUnsupported("typ");
  }
  for (const member of refusedMembers) {
    if (header.has(member)) throw headerUnsupported(member);
  }
  const kid = header.get("kid");
  if (kid === undefined) return { alg };
  if (typeof kid !== "string") throw headerUnsupported("kid");
  return { alg, kid };
}

const algShownMax = 16;

// ASCII only: the language's own case mapping also makes "S" of "ſ" and "k" of the Kelvin sign.
function isSameIgnoringCase(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (lowerAscii(a.charCodeAt(i)) !== lowerAscii(b.charCodeAt(i))) return false;
  }
  return true;
}

function lowerAscii(code: number): number {
  return code >= 0x41 && code <= 0x5a ? code + 0x20 : code;
}

function headerUnsupported(member: string): TokenError {
  return new TokenError("token_header_unsupported", `header member ${member} is not taken`, { member });
}
