/**
 * When a token is renewed: drawn evenly from the bridge's window for this device, or else from the span between 50
 * and 55 of its 60 minutes, in proportion for other lifetimes, so that a fleet switched on together does not come
 * back together.
 *
 * The span does not end at `exp` less a twelfth, but at the first instant at which any bridge could refuse the token,
 * less a twelfth: what our clock may be wrong by until then makes all of it earlier. Whatever the bridge says, never
 * after that. And never sooner than a twelfth of the lifetime after the last acceptance, so that a window in the past
 * makes no storm.
 */
import type { NumericDate, Random } from "@mayfly/core";
import type { DeviceTime } from "../ports.ts";

/** Shares of the lifetime, before a bridge could refuse the token: the span in which it is renewed. */
const spanBeginsBefore = 10 / 60;
const spanEndsBefore = 5 / 60;
/** A window cannot bring renewals closer together than this share of the lifetime. */
const windowPauseShare = 5 / 60;
/** A token that would have to be renewed before this share of its lifetime is not worth signing. */
const leastUseShare = 15 / 60;

/** Instants of the monotonic clock. */
export interface RenewalWindow {
  readonly fromMillis: number;
  /** Not before `fromMillis`. */
  readonly untilMillis: number;
}

export interface RenewalOrder {
  /** `exp - iat`. */
  readonly lifetimeMillis: number;
  /** {@link safeUntilMillis} of the token. */
  readonly safeMillis: number;
  /** The token's lot, in [0, 1). */
  readonly share: number;
  /** When the bridge accepted the token, and the least time from then to the next renewal. */
  readonly acceptedMillis?: number;
  readonly pauseMillis: number;
  readonly window?: RenewalWindow;
}

/** @returns The monotonic instant of the renewal, at least a twelfth of the lifetime before a bridge could refuse the token. */
export function renewalDueMillis(order: RenewalOrder): number {
  const { lifetimeMillis, safeMillis, share, window, acceptedMillis = Number.NEGATIVE_INFINITY } = order;
  const earliest = safeMillis - lifetimeMillis * spanBeginsBefore;
  const latest = latestRenewalMillis(safeMillis, lifetimeMillis);
  const own = earliest + share * (latest - earliest);
  const drawn =
    window === undefined ? own : window.fromMillis + share * (window.untilMillis - window.fromMillis);
  const pauseMillis =
    window === undefined ? order.pauseMillis : Math.max(order.pauseMillis, lifetimeMillis * windowPauseShare);
  return Math.min(latest, Math.max(drawn, acceptedMillis + pauseMillis));
}

/** The end of the span; what is left after it is for making the renewal, and for making it again. */
export function latestRenewalMillis(safeMillis: number, lifetimeMillis: number): number {
  return safeMillis - lifetimeMillis * spanEndsBefore;
}

/**
 * How long no bridge with a right clock can refuse a token for its age, even one without grace.
 *
 * `exp` was reckoned from our clock, which may be slow by its uncertainty, and by more of it the later it gets. So
 * `exp` comes up to twice the uncertainty sooner than a lifetime from now: once as the token is backdated by it, once
 * as we may be behind.
 *
 * @param expiresMillis when our own clock reaches `exp`, monotonic.
 */
export function safeUntilMillis(
  expiresMillis: number,
  time: Pick<DeviceTime, "uncertaintySecondsAt">,
): number {
  return expiresMillis - time.uncertaintySecondsAt(expiresMillis) * 1000;
}

/**
 * Whether a token minted now would be of use for a quarter of its lifetime: where the clock is too uncertain for that,
 * the agent would do little but renew.
 */
export function isWorthMinting(
  token: { readonly iat: NumericDate; readonly exp: NumericDate; readonly safeMillis: number },
  nowMillis: number,
): boolean {
  const lifetimeMillis = (token.exp - token.iat) * 1000;
  return latestRenewalMillis(token.safeMillis, lifetimeMillis) - nowMillis >= lifetimeMillis * leastUseShare;
}

/** @returns Evenly drawn from [0, 1), 32 bits of it. */
export function drawShare(random: Random): number {
  const bytes = random.fill(new Uint8Array(4));
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) / 2 ** 32;
}
