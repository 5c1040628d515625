/**
 * Calendar counter: one second on, in the BCD registers 00h to 06h themselves.
 *
 * It counts digits as the chip does and knows no instants, so that it shares no arithmetic with the driver that reads
 * them. What somebody wrote that is no time counts on from there: the datasheet leaves it undefined.
 */
import { centuryBit, hoursBit, register } from "../registers.ts";

const monthLast = [0x31, 0x28, 0x31, 0x30, 0x31, 0x30, 0x31, 0x31, 0x30, 0x31, 0x30, 0x31] as const;

export function countSecond(registers: Uint8Array): void {
  if (!countDigits(registers, register.seconds, 0x59, 0x00)) return;
  if (!countDigits(registers, register.minutes, 0x59, 0x00)) return;
  if (!countHour(registers)) return;
  const day = (registers[register.day] ?? 0) & 0x07;
  registers[register.day] = day === 7 ? 1 : day + 1;
  if (!countDigits(registers, register.date, lastDate(registers), 0x01)) return;
  if (!countMonth(registers)) return;
  if (!countDigits(registers, register.year, 0x99, 0x00)) return;
  registers[register.month] = (registers[register.month] ?? 0) ^ centuryBit;
}

/** @returns Whether it went over `last` back to `first`. */
function countDigits(registers: Uint8Array, index: number, last: number, first: number): boolean {
  const value = registers[index] ?? 0;
  registers[index] = value === last ? first : nextDigits(value);
  return value === last;
}

function nextDigits(value: number): number {
  return (value & 0x0f) === 9 ? (value & 0xf0) + 0x10 : value + 1;
}

/** @returns Whether midnight was passed. In 12-hour mode the hours go 12, 1, … 11, and AM and PM change at 12. */
function countHour(registers: Uint8Array): boolean {
  const value = registers[register.hours] ?? 0;
  if ((value & hoursBit.is12Hour) === 0) return countDigits(registers, register.hours, 0x23, 0x00);
  const hour = value & 0x1f;
  let pm = value & hoursBit.isPm;
  if (hour === 0x11) pm ^= hoursBit.isPm;
  registers[register.hours] = hoursBit.is12Hour | pm | (hour === 0x12 ? 0x01 : nextDigits(hour));
  return hour === 0x11 && pm === 0;
}

/** @returns Whether the year is over. The century bit stays. */
function countMonth(registers: Uint8Array): boolean {
  const value = registers[register.month] ?? 0;
  const month = value & 0x1f;
  registers[register.month] = (value & centuryBit) | (month === 0x12 ? 0x01 : nextDigits(month));
  return month === 0x12;
}

/** Every fourth year is a leap year, 2100 as well: the chip knows no exception. */
function lastDate(registers: Uint8Array): number {
  const month = (registers[register.month] ?? 0) & 0x1f;
  const year = registers[register.year] ?? 0;
  const isLeap = ((year >> 4) * 10 + (year & 0x0f)) % 4 === 0;
  if (month === 0x02 && isLeap) return 0x29;
  return monthLast[(month >> 4) * 10 + (month & 0x0f) - 1] ?? 0x31;
}

/** Writes a whole second of 2000 to 2099 into registers 00h to 06h, 24-hour mode. */
export function showInstant(registers: Uint8Array, seconds: number): void {
  const date = new Date(seconds * 1000);
  const digits = (value: number): number => Math.floor(value / 10) * 16 + (value % 10);
  registers.set([
    digits(date.getUTCSeconds()),
    digits(date.getUTCMinutes()),
    digits(date.getUTCHours()),
    date.getUTCDay() + 1,
    digits(date.getUTCDate()),
    digits(date.getUTCMonth() + 1),
    digits(date.getUTCFullYear() - 2000),
  ]);
}
