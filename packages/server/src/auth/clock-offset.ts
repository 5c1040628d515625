/**
 * How far a device's clock is off, as far as its authentication records can tell.
 *
 * `iat + u - arrival` of a token that came for the first time is the clock's offset less what the token waited
 * before it was sent. Waiting only ever makes a clock look behind, and a corrected clock is right at once, so the
 * middle one of the newest three is taken: one token that lay about does not count. A token that an older record
 * has already seen came back after a restart of the bridge, and says nothing.
 */
import type { AttemptRecord, AuthenticationRecord } from "./authentication-record.ts";

/** Tokens one estimate rests on, at most. */
export const offsetSamplesMax = 3;

export interface ClockOffset {
  /** The device's clock less ours: negative when it is behind. */
  readonly offsetSeconds: number;
  /** Tokens it rests on, 1 to 3. */
  readonly samples: number;
  /** When the newest of them came, epoch milliseconds. */
  readonly asOfMs: number;
}

/** @returns `undefined` where no authentic token says anything. */
export function estimateClockOffset(records: readonly AuthenticationRecord[]): ClockOffset | undefined {
  const byAge = records
    .filter((record) => record.kind === "attempt" && record.authenticity === "authentic")
    .map((record) => record as AttemptRecord)
    .sort((a, b) => a.arrivalMs - b.arrivalMs);
  const seen = new Set<string>();
  const samples: { readonly offset: number; readonly arrivalMs: number }[] = [];
  for (const { keyId, iat, exp, isFirstSeen, offsetSeconds, outcome, arrivalMs } of byAge) {
    const token = `${keyId} ${iat} ${exp}`;
    const isNew = !seen.has(token);
    seen.add(token);
    // Whoever signs with a key that was taken from the device speaks for another clock.
    const isDevice = outcome !== "key_revoked" && outcome !== "key_retired";
    if (isNew && isDevice && isFirstSeen === true && offsetSeconds !== undefined) {
      samples.push({ offset: offsetSeconds, arrivalMs });
    }
  }
  const newest = samples.slice(-offsetSamplesMax);
  const sorted = newest.map(({ offset }) => offset).sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  const last = newest.at(-1);
  if (middle === undefined || last === undefined) return undefined;
  return { offsetSeconds: middle, samples: newest.length, asOfMs: last.arrivalMs };
}
