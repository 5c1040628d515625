/**
 * The DS3231's registers, by the names of its datasheet.
 *
 * Constants and no more: the driver and the simulator read the same table, and share nothing else.
 */

/** 7-bit. Shared with the DS1307, the MPU-6050 and others, so an answer there is not proof of a DS3231. */
export const ds3231Address = 0x68;
/** 00h to 12h: one burst, then the register pointer is at 00h again. */
export const registerCount = 0x13;

export const register = {
  seconds: 0x00,
  minutes: 0x01,
  hours: 0x02,
  /** 1 to 7, whatever the user makes of them. */
  day: 0x03,
  date: 0x04,
  /** With the century bit. */
  month: 0x05,
  year: 0x06,
  alarm1: 0x07,
  alarm2: 0x0b,
  control: 0x0e,
  status: 0x0f,
  agingOffset: 0x10,
  temperature: 0x11,
} as const;

export const hoursBit = { is12Hour: 0x40, isPm: 0x20 } as const;

/** Toggles when the year goes from 99 to 00. */
export const centuryBit = 0x80;

export const controlBit = {
  /** 1: the oscillator stops on the battery. */
  eosc: 0x80,
  bbsqw: 0x40,
  /** Convert temperature; stays 1 until it is done. */
  conv: 0x20,
  rs2: 0x10,
  rs1: 0x08,
  intcn: 0x04,
  a2ie: 0x02,
  a1ie: 0x01,
} as const;

export const statusBit = {
  /** Oscillator stop flag: it stops, or has stopped since this was last written 0. */
  osf: 0x80,
  en32kHz: 0x08,
  /** A conversion is under way. */
  bsy: 0x04,
  /** Alarm flags: writing 0 clears them, writing 1 leaves them as they are. */
  a2f: 0x02,
  a1f: 0x01,
} as const;
