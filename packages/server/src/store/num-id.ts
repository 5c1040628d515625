/**
 * Server-made numeric ids: unique, positive, below 2^63, and told apart from string ids by being all digits.
 *
 * Sixteen decimal digits, as Cloud IoT Core's own ids have. They are text everywhere, since half of them do
 * not fit a double without loss. A store draws several candidates and takes the first that was never issued.
 */
import type { Random } from "@mayfly/core";

/** Candidates a store draws for one record. With 9·10^15 ids, needing the second is already a curiosity. */
export const NUM_ID_CANDIDATES = 4;

const FIRST = 1_000_000_000_000_000n;
const SPAN = 9_000_000_000_000_000n;

/** @returns A decimal text of 16 digits, drawn evenly (to 1 in 2,000) from all of them. */
export function drawNumId(random: Random): string {
  const bytes = random.fill(new Uint8Array(8));
  let drawn = 0n;
  for (const byte of bytes) drawn = (drawn << 8n) | BigInt(byte);
  return (FIRST + (drawn % SPAN)).toString();
}

export function drawNumIds(random: Random): readonly string[] {
  return Array.from({ length: NUM_ID_CANDIDATES }, () => drawNumId(random));
}

/** Whether `device` of a `DeviceRef` is a numId: string ids begin with a letter, numIds are digits only. */
export function isNumId(device: string): boolean {
  const first = device.charCodeAt(0);
  return first >= 0x30 && first <= 0x39;
}
