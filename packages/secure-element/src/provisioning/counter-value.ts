/**
 * A monotonic counter as the Configuration zone stores it: two mirrored halves, each a run of ones shifted
 * away and a binary part (atecc608.md §2.1, "Counter").
 *
 * The eight bytes can hold far more than the 2,097,152 values that mean something, so a field is either a
 * value or the bytes themselves: a zone read from a chip must come back byte for byte.
 */

/** The largest value a counter reaches; it never goes back. */
export const counterMax = 2_097_151;

/** Bytes of one counter. */
export const counterBytes = 8;

export type CounterField =
  | { readonly kind: "value"; readonly value: number }
  /** No value encodes to these bytes. */
  | { readonly kind: "malformed"; readonly bytes: Uint8Array };

/** @param value 0 to {@link counterMax}. @returns 8 bytes: lin_a, lin_b, bin_a, bin_b, each MSB first. */
export function encodeCounter(value: number): Uint8Array {
  const late = value >= 16 ? value - 16 : 0;
  const linA = 0xffff >> (value % 32);
  const linB = value >= 16 ? 0xffff >> (late % 32) : 0xffff;
  const binA = Math.floor(value / 32);
  const binB = Math.floor(late / 32);
  const bytes = new Uint8Array(counterBytes);
  [linA, linB, binA, binB].forEach((word, i) => {
    bytes[2 * i] = (word >> 8) & 0xff;
    bytes[2 * i + 1] = word & 0xff;
  });
  return bytes;
}

/** @param bytes 8 bytes of the Configuration zone. */
export function decodeCounter(bytes: Uint8Array): CounterField {
  const value = findValue(bytes);
  const isExact =
    value !== undefined && value <= counterMax && encodeCounter(value).every((byte, i) => byte === bytes[i]);
  return isExact ? { kind: "value", value } : { kind: "malformed", bytes: bytes.slice() };
}

/** The one value that could have been encoded so; the caller encodes it again and compares. */
function findValue(bytes: Uint8Array): number | undefined {
  const binA = wordAt(bytes, 4);
  const shiftA = shiftOf(wordAt(bytes, 0));
  const shiftB = shiftOf(wordAt(bytes, 2));
  if (shiftA === undefined || shiftB === undefined) return undefined;
  // From shift 16 on the first half is all zeros and only the second half goes on counting.
  return shiftA < 16 ? 32 * binA + shiftA : 32 * binA + 16 + shiftB;
}

/** How far 0xFFFF was shifted: 0 to 16. */
function shiftOf(word: number): number | undefined {
  for (let shift = 0; shift <= 16; shift++) {
    if (0xffff >> shift === word) return shift;
  }
  return undefined;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
