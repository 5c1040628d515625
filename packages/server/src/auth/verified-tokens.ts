/**
 * Tokens whose signature was checked and good, remembered by hash: the same token again costs no curve operation.
 *
 * A signature that was good for these bytes and this key is good for ever; whether the key may still verify, and
 * everything else about the token, is asked anew each time. So forgetting an entry costs 100 µs, and keeping one
 * can't admit anybody. The same memory tells a token's first appearance from its return, and whose it was.
 *
 * Kept of a token: 132 bits of its SHA-256, from which it can't be had back.
 */
import { hash } from "node:crypto";
import { tokenBytesMax } from "@mayfly/core/token";
import type { DeviceRef } from "../registry/model.ts";
import { BoundedMap } from "./bounded-map.ts";

/** Some 250 bytes each: 16 MiB at most. */
export const verifiedTokensMax = 65_536;

export interface KnownToken {
  /** SHA-256 of the key that signed, as in `KeyRecord.fingerprint`. */
  readonly keyFingerprint: string;
  readonly keyId: string;
  readonly deviceNumId: string;
  /** By string id. */
  readonly device: DeviceRef;
  /** Where it was seen first. */
  readonly remoteAddress: string;
}

export class VerifiedTokens {
  readonly #known: BoundedMap<string, KnownToken>;

  constructor(max: number = verifiedTokensMax) {
    this.#known = new BoundedMap(max);
  }

  get size(): number {
    return this.#known.size;
  }

  find(digest: string): KnownToken | undefined {
    return this.#known.find(digest);
  }

  /** For a token that is not known yet: the first owner stays, so that a second name for it is noticed. */
  remember(digest: string, token: KnownToken): void {
    this.#known.set(digest, token);
  }
}

/** What stands for a token here. One too long to be looked at is not hashed either. */
export function digestOf(token: string): string {
  return token.length > tokenBytesMax ? "" : hash("sha256", token, "base64url").slice(0, 22);
}
