/**
 * Renewal plan: the newest token, and when it is due to be replaced.
 *
 * A token gets its lot when it is minted; each time a bridge accepts it the same lot is applied to the window the
 * bridge then gives, so that a device that reconnects keeps its place in the fleet's spread. Windows are told in the
 * bridge's time and are moved onto our monotonic clock when they come; a step of either wall clock moves nothing.
 *
 * Left to others: minting (`token-keeper.ts`), and how a renewal is done (`agent.ts`).
 */
import type { NumericDate, Random } from "@mayfly/core";
import type { BridgeHints } from "../session/bridge-hints.ts";
import { drawShare, latestRenewalMillis, type RenewalWindow, renewalDueMillis } from "./renewal.ts";
import type { DeviceToken } from "./token-keeper.ts";

export interface RenewalPlanSettings {
  /** For the first token alone, from its minting, whatever the bridge wishes. */
  readonly firstRenewalAfterSeconds: number | undefined;
  /** Least time from a token's acceptance to its renewal, where its lifetime allows. */
  readonly pauseMillis: number;
}

export class RenewalPlan {
  readonly #settings: RenewalPlanSettings;
  readonly #random: Random;
  #token: DeviceToken | undefined;
  #dueMillis = 0;
  #share = 0;
  #tokensMinted = 0;
  #fallback: DeviceToken | undefined;
  #window: { readonly from: NumericDate; readonly until: NumericDate } | undefined;

  constructor(settings: RenewalPlanSettings, random: Random) {
    this.#settings = settings;
    this.#random = random;
  }

  /** The newest token that was not refused; `undefined` when there is none. */
  get token(): DeviceToken | undefined {
    return this.#token;
  }

  get dueMillis(): number {
    return this.#dueMillis;
  }

  /** What the bridge that accepted last said, by its own clock. */
  get window(): { readonly from: NumericDate; readonly until: NumericDate } | undefined {
    return this.#window;
  }

  minted(token: DeviceToken): void {
    this.#token = token;
    this.#tokensMinted += 1;
    this.#share = drawShare(this.#random);
    this.#dueMillis = this.#due(token, undefined, undefined);
  }

  /** An older token is in use again because a newer one was refused, and none newer was accepted since. */
  get hasFallenBack(): boolean {
    return this.#fallback !== undefined;
  }

  /** The bridge accepted `token`, in CONNACK or AUTH. */
  accepted(token: DeviceToken, hints: BridgeHints, nowMillis: number): void {
    if (token !== this.#fallback) this.#fallback = undefined;
    const { renewFrom: from, renewUntil: until } = hints;
    this.#window = from === undefined || until === undefined ? undefined : { from, until };
    if (token === this.#token)
      this.#dueMillis = this.#due(token, windowOf(hints, token, nowMillis), nowMillis);
  }

  /** The newest token was refused, and is used no more. */
  refused(): void {
    this.#token = undefined;
  }

  /** The newest token was refused, while the one before is as good as it was: it is used again, and renewed as soon as it may be. */
  fallBack(token: DeviceToken): void {
    this.#token = token;
    this.#fallback = token;
    this.#dueMillis = token.expiresMillis;
  }

  /** Now, whatever was planned. */
  dueNow(nowMillis: number): void {
    this.#dueMillis = Math.min(this.#dueMillis, nowMillis);
  }

  #due(token: DeviceToken, window: RenewalWindow | undefined, acceptedMillis: number | undefined): number {
    const { firstRenewalAfterSeconds, pauseMillis } = this.#settings;
    const { safeMillis } = token;
    const lifetimeMillis = (token.exp - token.iat) * 1000;
    if (this.#tokensMinted === 1 && firstRenewalAfterSeconds !== undefined) {
      const asked = token.mintedMillis + firstRenewalAfterSeconds * 1000;
      return Math.min(asked, latestRenewalMillis(safeMillis, lifetimeMillis));
    }
    return renewalDueMillis({
      lifetimeMillis,
      safeMillis,
      share: this.#share,
      pauseMillis,
      ...(acceptedMillis === undefined ? undefined : { acceptedMillis }),
      ...(window === undefined ? undefined : { window }),
    });
  }
}

/**
 * The bridge's window on our monotonic clock: from its time in the same answer, or else from `exp`, which both know.
 */
function windowOf(hints: BridgeHints, token: DeviceToken, nowMillis: number): RenewalWindow | undefined {
  const { renewFrom, renewUntil, serverTime, exp = token.exp } = hints;
  if (renewFrom === undefined || renewUntil === undefined) return undefined;
  const onOurClock = (date: NumericDate): number =>
    serverTime === undefined
      ? token.expiresMillis + (date - exp) * 1000
      : nowMillis + (date - serverTime) * 1000;
  return { fromMillis: onOurClock(renewFrom), untilMillis: onOurClock(renewUntil) };
}
