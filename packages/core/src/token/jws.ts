/**
 * JWS Compact Serialization (RFC 7515 §3.1) of a device token: three parts, and the header judged.
 *
 * The header may name an algorithm, a type and a key, no more than that decides anything. Members that
 * would have us extend the format (`crit`) or fetch or believe a key the token brings along (`jwk`, `jku`,
 * `x5c`, `x5u`) are refused rather than ignored: no firmware known to us sends them, and a refusal is seen.
 */
import {
  BytesError,
  base64LenientDecode,
  base64urlDecode,
  base64urlDecodeText,
  utf8Decode,
} from "../bytes.ts";
import type { Leniency } from "./claims.ts";
import { JsonError, type JsonMembers, readJsonObject } from "./json-object.ts";
import type { TokenAlgorithm } from "./key-state.ts";
import type { TokenPolicy } from "./policy.ts";
import { TokenError } from "./token-error.ts";

/** Longest token, in bytes; a longer one is refused before anything of it is read. */
export const tokenBytesMax = 8192;

/** The types a JWS of ours may have; every verifier insists on its own. */
export type TokenType = "JWT" | "mayfly-possession+jwt" | "mayfly-key-offer+jwt";

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
  const cut = cutJws(token);
  const leniencies: Leniency[] = [];
  return {
    header: readMembers(decodeText(cut, "header", policy, leniencies), "header"),
    payload: readMembers(decodeText(cut, "payload", policy, leniencies), "payload"),
    signature: decodePart(cut, "signature", policy, leniencies),
    signingInput: signingInputOf(cut),
    leniencies,
  };
}

/** A token and where its two dots are. */
export interface CutJws {
  readonly token: string;
  readonly firstDot: number;
  readonly secondDot: number;
}

export type JwsPartName = "header" | "payload" | "signature";

/** @throws {TokenError} `token_too_large`, `token_malformed`. */
export function cutJws(token: string): CutJws {
  // UTF-16 units never outnumber bytes, and what is not ASCII is no base64 either.
  if (token.length > tokenBytesMax) {
    throw new TokenError("token_too_large", `token longer than ${tokenBytesMax} bytes`, {
      bytesMax: tokenBytesMax,
    });
  }
  const firstDot = token.indexOf(".");
  const secondDot = token.indexOf(".", firstDot + 1);
  if (firstDot < 0 || secondDot < 0 || token.indexOf(".", secondDot + 1) >= 0) {
    throw malformed("token", "does not have three parts");
  }
  return { token, firstDot, secondDot };
}

/** @throws {TokenError} `token_malformed`. */
export function decodePart(
  cut: CutJws,
  part: JwsPartName,
  policy: Pick<TokenPolicy, "looseBase64">,
  leniencies: Leniency[],
): Uint8Array {
  const start = startOf(cut, part);
  const end = endOf(cut, part);
  try {
    if (!policy.looseBase64 || !isLoose(cut.token, start, end, leniencies)) {
      return base64urlDecode(cut.token, start, end);
    }
    return base64LenientDecode(cut.token, start, end);
  } catch (error) {
    throw malformedPart(part, error);
  }
}

/** @throws {TokenError} `token_malformed`. */
export function decodeText(
  cut: CutJws,
  part: JwsPartName,
  policy: Pick<TokenPolicy, "looseBase64">,
  leniencies: Leniency[],
): string {
  const start = startOf(cut, part);
  const end = endOf(cut, part);
  try {
    if (!policy.looseBase64 || !isLoose(cut.token, start, end, leniencies)) {
      return base64urlDecodeText(cut.token, start, end);
    }
    return utf8Decode(base64LenientDecode(cut.token, start, end));
  } catch (error) {
    throw malformedPart(part, error);
  }
}

function startOf(cut: CutJws, part: JwsPartName): number {
  return part === "header" ? 0 : 1 + (part === "payload" ? cut.firstDot : cut.secondDot);
}

function endOf(cut: CutJws, part: JwsPartName): number {
  return part === "header" ? cut.firstDot : part === "payload" ? cut.secondDot : cut.token.length;
}

/** Does the part need a leniency? Notes which. */
function isLoose(token: string, start: number, end: number, leniencies: Leniency[]): boolean {
  const text = token.slice(start, end);
  const isPadded = text.endsWith("=");
  const isStandard = text.includes("+") || text.includes("/");
  if (isPadded && !leniencies.includes("padded_base64")) leniencies.push("padded_base64");
  if (isStandard && !leniencies.includes("standard_alphabet")) leniencies.push("standard_alphabet");
  return isPadded || isStandard;
}

/** What a decoder threw, as what the token is refused for. */
function malformedPart(part: JwsPartName, error: unknown): unknown {
  if (!(error instanceof BytesError)) return error;
  return malformed(part, error.code === "utf8_malformed" ? "is not UTF-8" : "is not canonical base64url");
}

/** Only after both parts were decoded: then every character is ASCII. */
export function signingInputOf({ token, secondDot }: CutJws): Uint8Array {
  const bytes = new Uint8Array(secondDot);
  for (let i = 0; i < secondDot; i++) bytes[i] = token.charCodeAt(i);
  return bytes;
}

/** @throws {TokenError} `token_malformed`. */
export function readMembers(text: string, part: JwsPartName): JsonMembers {
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

function malformed(part: JwsPartName | "token", rule: string): TokenError {
  return new TokenError("token_malformed", `${part} ${rule}`, { part });
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
 *   are (RFC 7515 §4.1.9). Every other type must be there.
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
  const isAbsentRightly = typ === undefined && type === "JWT";
  if (!isAbsentRightly && typ !== type && !(typeof typ === "string" && isSameIgnoringCase(typ, type))) {
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
