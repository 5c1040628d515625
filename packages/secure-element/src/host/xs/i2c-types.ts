/**
 * As much of ECMA-419 and of the Moddable SDK's time modules as we use. The published typings are older than the SDK.
 */

/** An open I2C instance: one address, one speed. Methods throw where the chip does not acknowledge. */
export interface I2cIo {
  read(byteLength: number): ArrayBuffer | Uint8Array;
  write(buffer: Uint8Array): unknown;
  close(): void;
}

export interface I2cIoOptions {
  readonly data: number;
  readonly clock: number;
  readonly hz: number;
  /** 7-bit, 0 to 127. */
  readonly address: number;
  readonly port?: number;
  /** Milliseconds a transaction may take; 400 on ESP32 if absent. */
  readonly timeout?: number;
}

/** The class `embedded:io/i2c` exports. */
export interface I2cIoClass {
  new (options: I2cIoOptions): I2cIo;
}

/** The module `time`. */
export interface XsTime {
  /** Milliseconds, signed 32-bit on a microcontroller: rolls over every 50 days. */
  readonly ticks: number;
  /** From `start` to now, right across one roll-over. */
  delta(start: number): number;
}

/** The module `timer`. */
export interface XsTimer {
  set(callback: () => void, delayMillis: number): unknown;
}
