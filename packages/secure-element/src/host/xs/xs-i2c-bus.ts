/**
 * The bus port on ECMA-419 I2C, as the Moddable SDK has it on ESP32.
 *
 * An instance of the I2C class has one address, so there is one per chip and a second one at address 0 for the wake
 * pulse; both at 100 kHz, since the SDK re-installs the driver whenever the speed changes. A transaction throws where
 * nobody acknowledges and gives no reason; one that took its whole timeout tells of a line held low.
 *
 * Run against a stand-in for the I2C class only, not yet on hardware: `docs/hardware.md` has the list.
 */
import { BusError, type ChipTime, type I2cBus } from "../../bus.ts";
import type { I2cIo, I2cIoClass } from "./i2c-types.ts";

/** Addresses one bus talks to, address 0 not counted: a chip, its spare, a clock, one more. */
export const XS_ADDRESSES_MAX = 4;
const BUS_HZ = 100_000;
const WAKE_ADDRESS = 0x00;
/** A transaction of 160 bytes takes 15 ms at 100 kHz. */
const TRANSACTION_MILLIS_MAX = 50;

export interface XsI2cBusOptions {
  readonly io: I2cIoClass;
  /** Pin of SDA. */
  readonly data: number;
  /** Pin of SCL. */
  readonly clock: number;
  readonly port?: number;
  readonly time: Pick<ChipTime, "monotonicMillis">;
}

export class XsI2cBus implements I2cBus {
  readonly #options: XsI2cBusOptions;
  readonly #instances: { readonly address: number; readonly io: I2cIo }[] = [];
  #isClosed = false;

  constructor(options: XsI2cBusOptions) {
    this.#options = options;
  }

  async write(address: number, bytes: Uint8Array): Promise<"ack" | "nack"> {
    // With no bytes the class only probes, and does not say what it found.
    if (bytes.length === 0) throw new BusError("bus_failed", "this bus cannot write nothing");
    return this.#transact(address, (io) => io.write(bytes)) === undefined ? "nack" : "ack";
  }

  async read(address: number, length: number): Promise<Uint8Array | undefined> {
    const answer = this.#transact(address, (io) => io.read(length));
    if (answer === undefined) return undefined;
    const bytes = answer.result instanceof Uint8Array ? answer.result : new Uint8Array(answer.result);
    if (bytes.length !== length)
      throw new BusError("bus_failed", "the I2C driver read less than it was asked for");
    return bytes;
  }

  async wake(): Promise<void> {
    // One byte, for an empty write would be a probe; 01, for 00 is a general-call reset.
    this.#transact(WAKE_ADDRESS, (io) => io.write(Uint8Array.of(0x01)));
  }

  close(): void {
    this.#isClosed = true;
    for (const instance of this.#instances.splice(0)) instance.io.close();
  }

  #transact<T>(address: number, run: (io: I2cIo) => T): { readonly result: T } | undefined {
    const io = this.#instanceFor(address);
    const startMillis = this.#options.time.monotonicMillis();
    try {
      return { result: run(io) };
    } catch (cause) {
      if (this.#options.time.monotonicMillis() - startMillis >= TRANSACTION_MILLIS_MAX) {
        throw new BusError("bus_stuck", "a transaction took its whole timeout: SDA or SCL is held low", {
          cause,
        });
      }
      return undefined;
    }
  }

  #instanceFor(address: number): I2cIo {
    if (this.#isClosed) throw new BusError("bus_closed", "the I2C bus was closed");
    const known = this.#instances.find((instance) => instance.address === address);
    if (known !== undefined) return known.io;
    if (this.#instances.length > XS_ADDRESSES_MAX)
      throw new BusError("bus_failed", "too many addresses on one bus");
    const { io: I2c, data, clock, port } = this.#options;
    const options = { data, clock, hz: BUS_HZ, address, timeout: TRANSACTION_MILLIS_MAX };
    try {
      const io = new I2c(port === undefined ? options : { ...options, port });
      this.#instances.push({ address, io });
      return io;
    } catch (cause) {
      throw new BusError("bus_failed", "the I2C driver does not open", { cause });
    }
  }
}
