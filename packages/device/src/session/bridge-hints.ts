/**
 * What the bridge tells beside its answer: its time, the token's accepted `exp`, and when to renew, as User Properties
 * of CONNACK and AUTH; when to come back; and whether it was for its time that it refused a token, as the Reason String.
 *
 * Hints, not orders: each may be missing, and one that is no number in range is as good as missing. Nothing here
 * moves a clock.
 *
 * Left to others: what becomes of them (`token/renewal-plan.ts`).
 */
import type { NumericDate } from "@mayfly/core";
import type { Properties } from "@mayfly/core/mqtt";

/** The two refusals that a wrong clock causes; the bridge names no others. */
export type TimeRefusal = "token_expired" | "token_from_future";

export interface BridgeHints {
  /** The bridge's clock when it answered. */
  readonly serverTime?: NumericDate;
  /** `exp` of the token it accepted. */
  readonly exp?: NumericDate;
  /** The window in which this device should renew, by the bridge's clock; both or neither, the first not after the second. */
  readonly renewFrom?: NumericDate;
  readonly renewUntil?: NumericDate;
  /** In a refusal: how long the bridge wants to be left alone, in seconds. */
  readonly retryAfterSeconds?: number;
}

/** Reads the first property of each name. */
export function readBridgeHints(properties: Properties | undefined): BridgeHints {
  const find = (wanted: string): NumericDate | undefined =>
    parseNumericDate(properties?.userProperties?.find(([name]) => name === wanted)?.[1]);
  const [serverTime, exp] = [find("server-time"), find("exp")];
  const [renewFrom, renewUntil] = [find("renew-from"), find("renew-until")];
  const retryAfterSeconds = find("retry-after");
  return {
    ...(serverTime === undefined ? undefined : { serverTime }),
    ...(exp === undefined ? undefined : { exp }),
    ...(renewFrom === undefined || renewUntil === undefined || renewFrom > renewUntil
      ? undefined
      : { renewFrom, renewUntil }),
    ...(retryAfterSeconds === undefined ? undefined : { retryAfterSeconds }),
  };
}

/** @returns Whether the Reason String of a refusal names the time as its cause, in the one word our bridge has for it. */
export function readTimeRefusal(properties: Properties | undefined): TimeRefusal | undefined {
  const word = properties?.reasonString;
  return word === "token_expired" || word === "token_from_future" ? word : undefined;
}

/** Whole or broken seconds, up to the year 33658. */
function parseNumericDate(text: string | undefined): NumericDate | undefined {
  if (text === undefined || !/^\d{1,12}(\.\d{1,9})?$/.test(text)) return undefined;
  return Number(text);
}
