/**
 * This machine's clock and waiting, for the commands.
 */
import { setTimeout as wait } from "node:timers/promises";

/** Seconds since 1970-01-01T00:00:00Z, fractional. */
export function wallSeconds(): number {
  return Date.now() / 1000;
}

/** Milliseconds since the start of this process; never steps. */
export function monotonicMillis(): number {
  return performance.now();
}

/** Resolves after `millis`, or at once when `signal` fires. */
export async function sleep(millis: number, signal?: AbortSignal): Promise<void> {
  try {
    await wait(millis, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  }
}
