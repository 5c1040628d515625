/**
 * When a token is renewed: drawn evenly from the bridge's window for this device, or else from the span between 50
 * and 55 of its 60 minutes, in proportion for other lifetimes, so that a fleet switched on together does not come
 * back together.
 *
 * Whatever the bridge says, never after the span's end: that is what we hold safe ourselves. And never sooner than
 * a twelfth of the lifetime after the last acceptance, so that a window in the past makes no storm.
 */
import type { Random } from "@mayfly/core";

const earliestShare = 50 / 60;
const latestShare = 55 / 60;
/** A window cannot bring renewals closer together than this share of the lifetime. */
const windowPauseShare = 5 / 60;

/** Instants of the monotonic clock. */
export interface RenewalWindow {
  readonly fromMillis: number;
  /** Not before `fromMillis`. */
  readonly untilMillis: number;
}

export interface RenewalOrder {
  /** The token's `iat` and `exp`, monotonic. */
  readonly issuedMillis: number;
  readonly expiresMillis: number;
  /** The token's lot, in [0, 1). */
  readonly share: number;
  /** When the bridge accepted the token, and the least time from then to the next renewal. */
  readonly acceptedMillis?: number;
  readonly pauseMillis: number;
  readonly window?: RenewalWindow;
}

/** @returns The monotonic instant of the renewal, at most 11/12 into the lifetime. */
export function renewalDueMillis(order: RenewalOrder): number {
  const { issuedMillis, expiresMillis, share, window, acceptedMillis = Number.NEGATIVE_INFINITY } = order;
  const lifetimeMillis = expiresMillis - issuedMillis;
  const earliest = issuedMillis + lifetimeMillis * earliestShare;
  const latest = issuedMillis + lifetimeMillis * latestShare;
  const own = earliest + share * (latest - earliest);
  const drawn =
    window === undefined ? own : window.fromMillis + share * (window.untilMillis - window.fromMillis);
  const pauseMillis =
    window === undefined ? order.pauseMillis : Math.max(order.pauseMillis, lifetimeMillis * windowPauseShare);
  return Math.min(latest, Math.max(drawn, acceptedMillis + pauseMillis));
}

/** @returns Evenly drawn from [0, 1), 32 bits of it. */
export function drawShare(random: Random): number {
  const bytes = random.fill(new Uint8Array(4));
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) / 2 ** 32;
}
