/**
 * Clock registers: 19 bytes of a DS3231 to an instant and its circumstances, and an instant to the seven bytes that set it.
 *
 * Everything that cannot be a clock's is refused: digits that are not BCD, a 30th of February, a temperature whose six
 * unused bits are not 0 (another chip at the same address). The century bit is not looked at and written 0: libraries
 * disagree on what it means, and 2000 to 2099 is where the chip's leap years are right.
 *
 * Left to others: the bus (`ds3231.ts`), and whether the instant is believed.
 */
import type { NumericDate } from "@mayfly/core";
import { centuryBit, hoursBit, register, registerCount, statusBit } from "./registers.ts";

/** 2000-01-01T00:00:00Z. */
export const ds3231EpochSeconds = 946_684_800;
/** 2100-01-01T00:00:00Z, the first instant the chip cannot show. */
export const ds3231EndSeconds = 4_102_444_800;

export interface ClockRegisters {
  /** The whole second the clock shows, taken as UTC. */
  readonly seconds: NumericDate;
  /** OSF: the oscillator stands, or has stood since the time was last set. */
  readonly isOscillatorStopped: boolean;
  /** -128 to 127; about 0.1 ppm each at 25 °C, positive slows. */
  readonly aging: number;
  /** -128 to 127.75. */
  readonly temperatureC: number;
}

/** @param bytes Registers 00h to 12h. @returns undefined where they are not those of a clock that has a time. */
export function decodeClockRegisters(bytes: Uint8Array): ClockRegisters | undefined {
  if (bytes.length !== registerCount) return undefined;
  const at = (index: number): number => bytes[index] ?? 0;
  const second = fromBcd(at(register.seconds));
  const minute = fromBcd(at(register.minutes));
  const hour = fromHours(at(register.hours));
  const date = fromBcd(at(register.date));
  const month = fromBcd(at(register.month) & ~centuryBit);
  const year = fromBcd(at(register.year));
  const quarters = at(register.temperature + 1);
  // NaN, of digits that are none, is in no range.
  const isClock =
    second <= 59 &&
    minute <= 59 &&
    hour <= 23 &&
    year <= 99 &&
    month >= 1 &&
    month <= 12 &&
    date >= 1 &&
    date <= daysIn(month, year) &&
    (quarters & 0x3f) === 0;
  if (!isClock) return undefined;
  const days = daysBefore(year, month) + date - 1;
  return {
    seconds: ds3231EpochSeconds + ((days * 24 + hour) * 60 + minute) * 60 + second,
    isOscillatorStopped: (at(register.status) & statusBit.osf) !== 0,
    aging: signed(at(register.agingOffset)),
    temperatureC: signed(at(register.temperature)) + (quarters >> 6) / 4,
  };
}

/**
 * @param seconds A whole second from {@link ds3231EpochSeconds} to {@link ds3231EndSeconds}, exclusive.
 * @returns Registers 00h to 06h: 24-hour mode, day 1 for Sunday, century bit 0.
 */
export function encodeTimeRegisters(seconds: NumericDate): Uint8Array {
  const sinceEpoch = seconds - ds3231EpochSeconds;
  const days = Math.floor(sinceEpoch / 86_400);
  const ofDay = sinceEpoch - days * 86_400;
  // From below: a year has at least 365 days, a month at most 31.
  let year = Math.min(99, Math.floor(days / 365));
  while (daysBefore(year, 1) > days) year -= 1;
  let month = Math.floor((days - daysBefore(year, 1)) / 31) + 1;
  while (month < 12 && daysBefore(year, month + 1) <= days) month += 1;
  return Uint8Array.of(
    toBcd(ofDay % 60),
    toBcd(Math.floor(ofDay / 60) % 60),
    toBcd(Math.floor(ofDay / 3_600)),
    // 2000-01-01 was a Saturday, the seventh day.
    ((days + 6) % 7) + 1,
    toBcd(days - daysBefore(year, month) + 1),
    toBcd(month),
    toBcd(year),
  );
}

/** @returns Days from 2000-01-01 to the first of that month. @param year 0 to 99. @param month 1 to 12. */
function daysBefore(year: number, month: number): number {
  let days = year * 365 + Math.floor((year + 3) / 4);
  for (let earlier = 1; earlier < month; earlier += 1) days += daysIn(earlier, year);
  return days;
}

/** Every fourth year is a leap year from 2000 to 2099. */
function daysIn(month: number, year: number): number {
  if (month === 2) return year % 4 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** @returns 0 to 99, or NaN where a digit is above 9. */
function fromBcd(byte: number): number {
  const tens = byte >> 4;
  const ones = byte & 0x0f;
  return tens > 9 || ones > 9 ? Number.NaN : tens * 10 + ones;
}

/** @returns 0 to 23, or what is in no range. */
function fromHours(byte: number): number {
  if ((byte & hoursBit.is12Hour) === 0) return fromBcd(byte);
  // Bit 7 is no part of an hour: it must make the value one that is refused.
  const hour = fromBcd(byte & ~(hoursBit.is12Hour | hoursBit.isPm));
  if (!(hour >= 1 && hour <= 12)) return Number.NaN;
  return (hour % 12) + ((byte & hoursBit.isPm) === 0 ? 0 : 12);
}

function toBcd(value: number): number {
  return Math.floor(value / 10) * 16 + (value % 10);
}

function signed(byte: number): number {
  return byte < 0x80 ? byte : byte - 0x100;
}
