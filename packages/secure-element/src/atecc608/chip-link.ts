/**
 * The bus as one chip sees it: its address, its time, and the bus's failures in the driver's words.
 */
import { BusError, type ChipTime, type I2cBus } from "../bus.ts";
import { ChipError } from "./chip-error.ts";

export class ChipLink {
  readonly address: number;
  readonly #bus: I2cBus;
  readonly #time: ChipTime;

  constructor(bus: I2cBus, address: number, time: ChipTime) {
    this.#bus = bus;
    this.address = address;
    this.#time = time;
  }

  /** @returns Whether the chip acknowledged. @throws {ChipError} (rejects) `bus_…`, as all here. */
  async write(bytes: Uint8Array): Promise<boolean> {
    try {
      return (await this.#bus.write(this.address, bytes)) === "ack";
    } catch (cause) {
      throw busFailure(cause);
    }
  }

  /** @returns The bytes, undefined where the chip did not acknowledge. */
  async read(length: number): Promise<Uint8Array | undefined> {
    try {
      return await this.#bus.read(this.address, length);
    } catch (cause) {
      throw busFailure(cause);
    }
  }

  /** The wake condition; says nothing of whether anybody woke. */
  async pulse(): Promise<void> {
    try {
      await this.#bus.wake();
    } catch (cause) {
      throw busFailure(cause);
    }
  }

  millis(): number {
    return this.#time.monotonicMillis();
  }

  async delayMillis(millis: number): Promise<void> {
    await this.#time.delayMicros(millis * 1000);
  }
}

function busFailure(cause: unknown): unknown {
  // Whatever else an adapter throws is a bug of the adapter, and stays what it is.
  if (!(cause instanceof BusError)) return cause;
  return new ChipError(cause.code, cause.message, {}, { cause });
}
