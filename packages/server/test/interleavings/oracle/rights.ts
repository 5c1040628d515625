/**
 * What the registry says of a device, and what a token is worth under it: the oracle's own reading of design §7.
 */
import type { KeyState } from "@mayfly/core/token";
import type { TokenFacts } from "../paper-tokens.ts";

/** The rules of the registry that these runs vary. */
export interface House {
  readonly skewSeconds: number;
  readonly graceSeconds: number;
  readonly keepSessions: boolean;
  readonly connectionMaxSeconds: number;
  readonly idleMaxSeconds: number;
}

/** One state of a device in the registry; never changed, only followed by another. */
export interface Registered {
  readonly exists: boolean;
  /** A device made again under the same name is another one. */
  readonly generation: number;
  readonly isBlocked: boolean;
  readonly keys: Readonly<Record<string, { readonly state: KeyState; readonly endsSeconds?: number }>>;
}

/** @returns wall seconds at which the right that `token` gives ends, or undefined where it gives none now. */
export function findDeadline(
  token: TokenFacts,
  registered: Registered,
  now: number,
  house: House,
): number | undefined {
  if (token.flaw !== "none" || !registered.exists || registered.isBlocked) return undefined;
  if (token.iat > now + house.skewSeconds || token.exp - token.iat > 86_400) return undefined;
  const key = registered.keys[token.key];
  if (key === undefined || key.state === "retired" || key.state === "revoked") return undefined;
  const deadline = Math.min(token.exp + house.graceSeconds, key.endsSeconds ?? Number.POSITIVE_INFINITY);
  return now < deadline ? deadline : undefined;
}

export function isKeyGood(key: string, registered: Registered): boolean {
  const state = registered.exists ? registered.keys[key]?.state : undefined;
  return state !== undefined && state !== "retired" && state !== "revoked";
}
