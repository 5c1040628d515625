/**
 * What the chip knows only while it has power and does not sleep: TempKey, Message Digest Buffer, Alternate Key
 * Buffer, a running SHA or HMAC, and which slot's secret CheckMac has been shown.
 *
 * Three separate stores, for that is what they are on the 608: a digest in the one is not a digest in the other.
 */

import type { RunningSha256 } from "./sim-crypto.ts";

export interface TempKey {
  /** 32 or 64 bytes. */
  readonly value: Uint8Array;
  /** Where it came from: the host's own bytes, or a nonce the chip took part in. */
  readonly source: "fixed" | "random";
  readonly keyId: number;
  readonly genDigData: boolean;
  readonly genKeyData: boolean;
  readonly noMac: boolean;
}

export interface RunningDigest {
  readonly hash: RunningSha256;
  /** Bytes taken so far; without the HMAC's own first block. */
  byteCount: number;
  /** The last incomplete block, as the saved context shows it. */
  partial: Uint8Array;
  /** The HMAC's key block, XORed for the outer hash; undefined for a plain SHA-256. */
  readonly outerBlock: Uint8Array | undefined;
}

export interface VolatileState {
  tempKey: TempKey | undefined;
  /** 32 or 64 bytes. */
  messageDigestBuffer: Uint8Array | undefined;
  /** 32 bytes. */
  alternateKeyBuffer: Uint8Array | undefined;
  digest: RunningDigest | undefined;
  /** The slot whose secret CheckMac has been shown, for KeyConfig.ReqAuth. */
  authorisedBySlot: number | undefined;
}

/** As after sleep or power-up. */
export function emptyVolatileState(): VolatileState {
  return {
    tempKey: undefined,
    messageDigestBuffer: undefined,
    alternateKeyBuffer: undefined,
    digest: undefined,
    authorisedBySlot: undefined,
  };
}

/** A TempKey as a pass-through Nonce leaves it. */
export function fixedTempKey(value: Uint8Array): TempKey {
  return { value, source: "fixed", keyId: 0, genDigData: false, genKeyData: false, noMac: false };
}
