/**
 * Instants and prefixes on the wire of signed time.
 *
 * An instant is milliseconds since 1970-01-01T00:00:00Z, leap seconds ignored, as an unsigned 64-bit big-endian
 * number. A second would be coarser than the round trip that bounds the error; a microsecond would promise what no
 * network keeps, and leave the range of a JavaScript number in the year 2255.
 */

/** The last millisecond of the year 9999: what a date can be written of. Well within 2^53. */
export const instantMillisMax = 253_402_300_799_999;

export const instantBytes = 8;

/** @throws {RangeError} not a whole number from 0 to {@link instantMillisMax}. */
export function writeInstant(view: DataView, at: number, millis: number): void {
  if (!Number.isInteger(millis) || millis < 0 || millis > instantMillisMax) {
    throw new RangeError("an instant is a whole number of milliseconds from 1970 to the year 9999");
  }
  view.setUint32(at, Math.floor(millis / 2 ** 32));
  view.setUint32(at + 4, millis % 2 ** 32);
}

/** @returns The instant, or undefined above {@link instantMillisMax}. */
export function readInstant(view: DataView, at: number): number | undefined {
  const millis = view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
  return millis > instantMillisMax ? undefined : millis;
}

/** A view on exactly these bytes, which may be a part of a larger buffer. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** @param prefix ASCII. */
export function writePrefix(bytes: Uint8Array, prefix: string): void {
  for (let i = 0; i < prefix.length; i++) bytes[i] = prefix.charCodeAt(i);
}

/** @param prefix ASCII. */
export function hasPrefix(bytes: Uint8Array, prefix: string): boolean {
  for (let i = 0; i < prefix.length; i++) if (bytes[i] !== prefix.charCodeAt(i)) return false;
  return true;
}
