/**
 * Agreement: what a majority of servers cannot all be wrong about (RFC 5905 §11.2.1, after Marzullo).
 *
 * Each server says "the true time is within `seconds` ± `boundSeconds`". If more than half of them are right, it lies
 * where more than half of these intervals overlap, whoever the others are and whatever they claim. The time told is
 * that of the server with the smallest bound, moved into that range where it lies outside; the bound told covers the
 * whole range, so that a liar among the majority, who claims to be exact to a millisecond, gains no belief by it.
 *
 * Left to others: how many servers must have been asked for a majority to mean something (`sntp-client.ts`).
 */
import type { TimeSample } from "../time-sample.ts";

export interface Agreement {
  readonly sample: TimeSample;
  /** How many of the samples overlap in one instant: more than half. */
  readonly servers: number;
}

/**
 * @param samples One of each server, all as they stand at the same monotonic instant; the order does not matter.
 * @returns undefined when no instant is in more than half of them.
 */
export function findAgreement(samples: readonly TimeSample[]): Agreement | undefined {
  const majority = Math.floor(samples.length / 2) + 1;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  let servers = 0;
  // Where enough intervals overlap, that begins at one's lower end and ends at one's upper end. At most four: n² is 16.
  for (const { seconds, boundSeconds } of samples) {
    const atLower = countCovering(samples, seconds - boundSeconds);
    if (atLower >= majority) low = Math.min(low, seconds - boundSeconds);
    if (countCovering(samples, seconds + boundSeconds) >= majority) {
      high = Math.max(high, seconds + boundSeconds);
    }
    servers = Math.max(servers, atLower);
  }
  const best = findMostExact(samples, low, high);
  if (best === undefined) return undefined;
  const seconds = Math.min(Math.max(best.seconds, low), high);
  const boundSeconds = Math.max(seconds - low, high - seconds);
  return { sample: { atMillis: best.atMillis, seconds, boundSeconds }, servers };
}

function countCovering(samples: readonly TimeSample[], instant: number): number {
  let covering = 0;
  for (const { seconds, boundSeconds } of samples) {
    if (seconds - boundSeconds <= instant && instant <= seconds + boundSeconds) covering += 1;
  }
  return covering;
}

function findMostExact(samples: readonly TimeSample[], low: number, high: number): TimeSample | undefined {
  let best: TimeSample | undefined;
  for (const sample of samples) {
    const isOverlapping =
      sample.seconds - sample.boundSeconds <= high && sample.seconds + sample.boundSeconds >= low;
    if (isOverlapping && (best === undefined || sample.boundSeconds < best.boundSeconds)) best = sample;
  }
  return best;
}
