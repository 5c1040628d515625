/**
 * The bus port: raw I2C transactions, as a driver needs them and an adapter can give them.
 *
 * A NACK is an ordinary answer here, not an error: a busy ATECC608 says "not now" by it. What rejects is a bus
 * that does not work at all. The wake condition is a port of its own because it is no transaction: SDA low for
 * at least 60 µs, which most hosts can only make by addressing 0x00 slowly.
 */

export type BusErrorCode =
  /** SDA or SCL does not come back up: nobody can talk on this bus. */
  | "bus_stuck"
  /** The host's own I2C controller or the connection to it failed. */
  | "bus_failed"
  | "bus_closed";

/** The bus itself does not work. Whether a chip is there is another question. */
export class BusError extends Error {
  override readonly name = "BusError";
  readonly code: BusErrorCode;

  constructor(code: BusErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message);
    this.code = code;
    if (options !== undefined) this.cause = options.cause;
  }
  override cause?: unknown;
}

export interface I2cBus {
  /**
   * START, address + W, bytes, STOP. `address` is 7-bit, 0x01 to 0x7F; `bytes` 0 to 160 of them.
   * @returns "nack" where the address or a byte was not acknowledged. @throws {BusError} (rejects)
   */
  write(address: number, bytes: Uint8Array): Promise<"ack" | "nack">;
  /** START, address + R, `length` (1 to 160) bytes, STOP. @returns the bytes, undefined on NACK. @throws {BusError} (rejects) */
  read(address: number, length: number): Promise<Uint8Array | undefined>;
  /** Holds SDA low for ≥ 60 µs, at ≤ 100 kHz by writing one byte 0x01 to address 0; the NACK is expected. The caller waits tWHI itself. @throws {BusError} (rejects) */
  wake(): Promise<void>;
}

/** Time as the driver needs it: a monotonic clock and a wait. */
export interface ChipTime {
  /** Milliseconds, monotonic, fractions allowed. */
  monotonicMillis(): number;
  /** Resolves after at least `micros`. */
  delayMicros(micros: number): Promise<void>;
}
