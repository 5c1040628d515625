/**
 * Bytes of atecc608.md for the tests of provisioning.
 */

/** @param text Hexadecimal digits, blanks and line ends ignored. */
export function bytesOf(text: string): Uint8Array {
  const digits = text.split(/\s+/).join("");
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) =>
    Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
}

/** Bytes 0-15 of the worked trace in §8: an ATECC608B. */
export const factoryHead = "01 23 7A 1B 00 00 60 03 4D 2E 3C 91 EE 01 01 00";

/** §3.4 word for word, with the lock bytes of an open chip. */
export const mayflyZone = bytesOf(`
  ${factoryHead}
  C0 00 00 00
  81 20  82 00  81 20  81 20  8F 8F  8F 8F  8F 8F  8F 8F
  0F 0F  8F 8F  0F 0F  0F 0F  0F 0F  8F 8F  8F 8F  8F 8F
  FF FF FF FF 00 00 00 00  FF FF FF FF 00 00 00 00
  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
  00 00 55 55  FF FF 00 00  00 00 00 00
  33 00  13 00  33 00  33 00  1C 00  1C 00  1C 00  1C 00
  3C 00  1C 00  3C 00  30 00  3C 00  1C 00  1C 00  1C 00
`);
