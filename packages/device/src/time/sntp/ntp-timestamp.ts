/**
 * NTP timestamps: 32 bits of seconds since 1900 and 32 of a fraction, read as Unix time (RFC 5905 §6).
 *
 * The seconds wrap in February 2036, and nothing in a packet says how often they have. Of all the instants a
 * timestamp can mean, the one nearest to a date this program knows is taken: that of its build, or a later one it
 * remembers. So it is right from 68 years before that date to 68 years after it.
 */
import type { NumericDate } from "@mayfly/core";

/** Seconds from 1900-01-01 to 1970-01-01. */
const unixEpochNtpSeconds = 2_208_988_800;
/** Seconds in an era; also what a fraction of 32 bits is of. */
const twoTo32 = 2 ** 32;

export const ntpTimestampBytes = 8;

/**
 * @param at Where in the packet the timestamp begins.
 * @param near The date whose neighbourhood is meant.
 * @returns Unix time, to a quarter of a microsecond: what a Number holds of it today.
 */
export function readNtpTimestamp(packet: DataView, at: number, near: NumericDate): NumericDate {
  const inEra0 = packet.getUint32(at) + packet.getUint32(at + 4) / twoTo32 - unixEpochNtpSeconds;
  return inEra0 + Math.round((near - inEra0) / twoTo32) * twoTo32;
}

/** The zero timestamp, which means "unknown or unsynchronised". */
export function isZeroTimestamp(packet: DataView, at: number): boolean {
  return packet.getUint32(at) === 0 && packet.getUint32(at + 4) === 0;
}

/** The short format, 16 bits of seconds and 16 of a fraction, of root delay and root dispersion. @returns seconds. */
export function readNtpShort(packet: DataView, at: number): number {
  return packet.getUint32(at) / 65_536;
}
