/** The board: which pin is what. Numbers are the ESP32's GPIO numbers. */
export const pins = {
  /** Chip and clock share one bus, with a pull-up of 4.7 kΩ on each line. */
  i2c: { data: 21, clock: 22 },
} as const;

/** 7-bit addresses on it. */
export const addresses = {
  /** A blank ATECC608; Trust&GO parts answer at 0x35, TrustFLEX parts at 0x36. */
  secureElement: 0x60,
} as const;
