/**
 * Instants as the APIs spell them: RFC 3339, UTC, milliseconds.
 */

/** How Cloud IoT Core says "never" where it shows an instant at all. */
export const EPOCH = "1970-01-01T00:00:00Z";

/** @param ms Epoch milliseconds. */
export function formatMillis(ms: number): string {
  return new Date(ms).toISOString();
}

/** @param seconds NumericDate. */
export function formatSeconds(seconds: number): string {
  return formatMillis(seconds * 1000);
}
