/**
 * Alarms: whether the time registers match an alarm's at this second (datasheet, table 2).
 *
 * Bit 7 of each alarm register masks it; bit 6 of the last chooses day of the week or date.
 */
import { register } from "../registers.ts";

const mask = 0x80;
const isDay = 0x40;

/** Alarm 1 has a register for the seconds as well. */
export function matchesAlarm1(registers: Uint8Array): boolean {
  return (
    matches(registers, register.alarm1, register.seconds) &&
    matches(registers, register.alarm1 + 1, register.minutes) &&
    matches(registers, register.alarm1 + 2, register.hours) &&
    matchesDay(registers, register.alarm1 + 3)
  );
}

/** Alarm 2 is at 00 seconds. */
export function matchesAlarm2(registers: Uint8Array): boolean {
  return (
    registers[register.seconds] === 0 &&
    matches(registers, register.alarm2, register.minutes) &&
    matches(registers, register.alarm2 + 1, register.hours) &&
    matchesDay(registers, register.alarm2 + 2)
  );
}

function matches(registers: Uint8Array, alarm: number, time: number): boolean {
  const wanted = registers[alarm] ?? 0;
  return (wanted & mask) !== 0 || wanted === registers[time];
}

function matchesDay(registers: Uint8Array, alarm: number): boolean {
  const wanted = registers[alarm] ?? 0;
  if ((wanted & mask) !== 0) return true;
  if ((wanted & isDay) !== 0) return (wanted & 0x0f) === registers[register.day];
  return wanted === registers[register.date];
}
