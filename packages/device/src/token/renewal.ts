/**
 * When a token is renewed: drawn evenly from the span between 50 and 55 of its 60 minutes, in proportion
 * for other lifetimes, so that a fleet switched on together does not come back together.
 */
import type { Random } from "@mayfly/core";

const earliestShare = 50 / 60;
const latestShare = 55 / 60;

/** @returns Seconds after `iat`, in [5/6, 11/12) of the lifetime. */
export function drawRenewalSeconds(lifetimeSeconds: number, random: Random): number {
  return lifetimeSeconds * (earliestShare + drawShare(random) * (latestShare - earliestShare));
}

/** @returns Evenly drawn from [0, 1), 32 bits of it. */
export function drawShare(random: Random): number {
  const bytes = random.fill(new Uint8Array(4));
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) / 2 ** 32;
}
