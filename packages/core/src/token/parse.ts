/**
 * A look into a token, for tools: what it says, without a word on whether it is true.
 */
import type { Leniency } from "./claims.ts";
import { cutJws, decodePart, decodeText, readMembers } from "./jws.ts";
import type { TokenPolicy } from "./policy.ts";

/** What a token says. Nothing of it has been verified. */
export interface ParsedToken {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly signature: Uint8Array;
  /** What had to be forgiven to read it; times are not judged here. */
  readonly leniencies: readonly Leniency[];
}

/**
 * @param leniency A policy, or only the part of it that concerns the form.
 * @throws {TokenError} `token_too_large`, `token_malformed`; header and claims are not judged.
 */
export function parseToken(token: string, leniency: Pick<TokenPolicy, "looseBase64">): ParsedToken {
  const cut = cutJws(token);
  const leniencies: Leniency[] = [];
  const headerText = decodeText(cut, "header", leniency, leniencies);
  const claimsText = decodeText(cut, "payload", leniency, leniencies);
  const signature = decodePart(cut, "signature", leniency, leniencies);
  return {
    header: parseObject(headerText, "header"),
    claims: parseObject(claimsText, "payload"),
    signature,
    leniencies,
  };
}

function parseObject(text: string, part: "header" | "payload"): Readonly<Record<string, unknown>> {
  // The strict reader first: JSON.parse alone would hide a duplicate member.
  readMembers(text, part);
  return JSON.parse(text) as Readonly<Record<string, unknown>>;
}
