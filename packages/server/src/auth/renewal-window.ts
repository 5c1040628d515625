/**
 * Renewal window: when the bridge would like a device to come back with its next token.
 *
 * The windows of a fleet lie side by side over the twelfth of a token's life that begins at 50 minutes of 60;
 * where a device's lies is drawn from its numId, so it is the same after each renewal and a fleet that booted at
 * one moment is spread after its first hour. A wish, no rule: who comes earlier or later is taken all the same.
 */
import type { NumericDate } from "@mayfly/core";
import type { DevicePrincipal } from "./admission.ts";

/** The fleet's windows begin at this part of a token's life: 50 minutes of 60. */
export const windowsFrom = 50 / 60;
/** And end at this: 55 minutes of 60. */
export const windowsUntil = 55 / 60;
/** One device's window: a minute of 60. */
export const windowWidth = 1 / 60;

export interface RenewalWindow {
  /** By the bridge's clock, whole seconds. */
  readonly fromSeconds: NumericDate;
  /** Not before `fromSeconds`, and before the right ends. */
  readonly untilSeconds: NumericDate;
}

export function renewalWindowOf(
  principal: Pick<
    DevicePrincipal,
    "deviceNumId" | "issuedAtSeconds" | "expiresAtSeconds" | "deadlineSeconds"
  >,
): RenewalWindow {
  const { issuedAtSeconds, expiresAtSeconds, deadlineSeconds } = principal;
  // A key that expires before its token ends the right sooner; then the next key's token is due sooner as well.
  const lifetimeSeconds = Math.min(expiresAtSeconds, deadlineSeconds) - issuedAtSeconds;
  const place = placeOf(principal.deviceNumId) * (windowsUntil - windowsFrom - windowWidth);
  const from = issuedAtSeconds + lifetimeSeconds * (windowsFrom + place);
  return {
    fromSeconds: Math.floor(from),
    untilSeconds: Math.floor(from + lifetimeSeconds * windowWidth),
  };
}

/** @returns 0 to below 1, the same for the same text: FNV-1a over its UTF-16 units, then stirred. */
function placeOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  // FNV alone leaves neighbouring numbers near each other in the high bits.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash ^= hash >>> 13;
  return (hash >>> 0) / 2 ** 32;
}
