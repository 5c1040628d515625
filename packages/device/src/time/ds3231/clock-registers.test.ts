import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodeClockRegisters,
  ds3231EndSeconds,
  ds3231EpochSeconds,
  encodeTimeRegisters,
} from "./clock-registers.ts";

/** 2024-02-29T23:59:58Z, 23.25 °C, nothing set. */
const leapDay = [0x58, 0x59, 0x23, 0x05, 0x29, 0x02, 0x24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x17, 0x40];

const registers = (changes: Readonly<Record<number, number>> = {}): Uint8Array => {
  const bytes = Uint8Array.from(leapDay);
  for (const [index, value] of Object.entries(changes)) bytes[Number(index)] = value;
  return bytes;
};
const dateOf = (bytes: Uint8Array): string | undefined => {
  const decoded = decodeClockRegisters(bytes);
  return decoded === undefined ? undefined : new Date(decoded.seconds * 1000).toISOString().slice(0, 19);
};

test("a whole second of any year from 2000 to 2099 is written as the calendar has it, and read back", () => {
  fc.assert(
    fc.property(fc.integer({ min: ds3231EpochSeconds, max: ds3231EndSeconds - 1 }), (seconds) => {
      const time = encodeTimeRegisters(seconds);

      const date = new Date(seconds * 1000);
      // BCD read as hex digits is the decimal text.
      const digits = [...time].map((byte) => byte.toString(16).padStart(2, "0"));
      const [second, minute, hour, day, date2, month, year] = digits;
      assert.equal(
        `20${year}-${month}-${date2}T${hour}:${minute}:${second}`,
        date.toISOString().slice(0, 19),
      );
      assert.equal(Number(day), date.getUTCDay() + 1);
      const whole = registers();
      whole.set(time);
      assert.equal(decodeClockRegisters(whole)?.seconds, seconds);
    }),
  );
});

test("the first and the last second the chip can show are written right", () => {
  assert.deepEqual([...encodeTimeRegisters(ds3231EpochSeconds)], [0, 0, 0, 7, 1, 1, 0]);
  assert.deepEqual([...encodeTimeRegisters(ds3231EndSeconds - 1)], [0x59, 0x59, 0x23, 5, 0x31, 0x12, 0x99]);
});

test("12-hour mode is read: 12 AM is midnight, 12 PM is noon", () => {
  const hours = [0x52, 0x41, 0x51, 0x72, 0x61, 0x71];

  assert.deepEqual(
    hours.map((byte) => dateOf(registers({ 2: byte }))?.slice(11, 13)),
    ["00", "01", "11", "12", "13", "23"],
  );
});

test("a set century bit changes nothing", () => {
  assert.equal(dateOf(registers({ 5: 0x82 })), "2024-02-29T23:59:58");
});

for (const [what, changes] of [
  ["seconds that are not BCD", { 0: 0x5a }],
  ["a 60th second", { 0: 0x60 }],
  ["bit 7 of the seconds (a DS1307 that stands)", { 0: 0x80 }],
  ["minutes that are not BCD", { 1: 0x0f }],
  ["a 60th minute", { 1: 0x60 }],
  ["hour 24", { 2: 0x24 }],
  ["hour 0 of 12", { 2: 0x40 }],
  ["hour 13 of 12", { 2: 0x53 }],
  ["bit 7 of the hours in 12-hour mode", { 2: 0xd1 }],
  ["day 0 of the month", { 4: 0x00 }],
  ["the 30th of February", { 4: 0x30 }],
  ["the 29th of February of no leap year", { 6: 0x25 }],
  ["the 31st of April", { 4: 0x31, 5: 0x04 }],
  ["month 0", { 5: 0x00 }],
  ["month 13", { 5: 0x13 }],
  ["a year that is not BCD", { 6: 0xa0 }],
  ["unused temperature bits that are set", { 18: 0x41 }],
] as const) {
  test(`${what}: no clock's registers`, () => {
    assert.equal(decodeClockRegisters(registers(changes)), undefined);
  });
}

test("a bus that floats high or low is no clock, nor are 18 bytes", () => {
  assert.equal(decodeClockRegisters(new Uint8Array(19).fill(0xff)), undefined);
  assert.equal(decodeClockRegisters(new Uint8Array(19)), undefined);
  assert.equal(decodeClockRegisters(registers().subarray(0, 18)), undefined);
});

test("OSF, aging and temperature are read", () => {
  const read = decodeClockRegisters(registers({ 15: 0x84, 16: 0xfe, 17: 0xf6, 18: 0xc0 }));

  assert.deepEqual(read && { ...read, seconds: 0 }, {
    seconds: 0,
    isOscillatorStopped: true,
    aging: -2,
    temperatureC: -9.25,
  });
});
