/** Status bytes: the one data byte of a four-byte answer. */
export const chipStatus = {
  success: 0x00,
  miscompare: 0x01,
  /** Bad length, opcode or parameter, whatever the chip's state. */
  parse: 0x03,
  eccFault: 0x05,
  selfTest: 0x07,
  healthTest: 0x08,
  /** The right command in the wrong state, or against the configuration. */
  execution: 0x0f,
  afterWake: 0x11,
  watchdog: 0xee,
  communication: 0xff,
} as const;

export type ChipStatus = (typeof chipStatus)[keyof typeof chipStatus];
