/**
 * A Linux I2C adapter (`/dev/i2c-N`) through the package `i2c-bus`, which is loaded here, when it is used, or not at all.
 *
 * The wake pulse is a write to address 0: eight low bits, 80 µs at 100 kHz and 20 µs at 400 kHz. User space cannot change
 * the bus clock, so the adapter must be set to 100 kHz (`dtparam=i2c_arm_baudrate=100000` on a Raspberry Pi); up to
 * 133 kHz will do. Run against a stand-in for `i2c-bus` only, not yet on hardware: `docs/hardware.md` has the list.
 */
/// <reference path="./i2c-bus.d.ts" />
import { BusError, type I2cBus } from "../../bus.ts";

/** What we use of `i2c-bus` 5: its promise interface. */
export interface I2cBusModule {
  openPromisified(busNumber: number): Promise<PromisifiedI2cBus>;
}

export interface PromisifiedI2cBus {
  i2cRead(address: number, length: number, buffer: Buffer): Promise<{ readonly bytesRead: number }>;
  i2cWrite(address: number, length: number, buffer: Buffer): Promise<{ readonly bytesWritten: number }>;
  close(): Promise<void>;
}

export interface LinuxI2cBus extends I2cBus {
  close(): Promise<void>;
}

/**
 * @param device `/dev/i2c-1` or the number alone. @param load How to come by `i2c-bus`; by import if absent.
 * @throws {BusError} (rejects) `bus_failed`: `i2c-bus` is not installed, or there is no such device.
 */
export async function openLinuxI2cBus(
  device: string | number,
  load: () => Promise<I2cBusModule> = importI2cBus,
): Promise<LinuxI2cBus> {
  const busNumber = typeof device === "number" ? device : Number(device.split("-").at(-1));
  if (!Number.isInteger(busNumber) || busNumber < 0) {
    throw new BusError(
      "bus_failed",
      `no I2C adapter is called ${String(device)}; they are called /dev/i2c-N`,
    );
  }
  const module = await load();
  try {
    return new LinuxBus(await module.openPromisified(busNumber));
  } catch (cause) {
    throw new BusError("bus_failed", `cannot open /dev/i2c-${String(busNumber)}`, { cause });
  }
}

async function importI2cBus(): Promise<I2cBusModule> {
  try {
    return (await import("i2c-bus")).default;
  } catch (cause) {
    throw new BusError(
      "bus_failed",
      "the package i2c-bus is needed for a Linux I2C bus: npm install i2c-bus",
      {
        cause,
      },
    );
  }
}

class LinuxBus implements LinuxI2cBus {
  readonly #bus: PromisifiedI2cBus;
  #isClosed = false;

  constructor(bus: PromisifiedI2cBus) {
    this.#bus = bus;
  }

  async write(address: number, bytes: Uint8Array): Promise<"ack" | "nack"> {
    this.#mustBeOpen();
    try {
      await this.#bus.i2cWrite(address, bytes.length, Buffer.from(bytes));
      return "ack";
    } catch (error) {
      return nackOrThrow(error);
    }
  }

  async read(address: number, length: number): Promise<Uint8Array | undefined> {
    this.#mustBeOpen();
    const buffer = Buffer.alloc(length);
    try {
      const { bytesRead } = await this.#bus.i2cRead(address, length, buffer);
      if (bytesRead !== length)
        throw new BusError("bus_failed", "the I2C adapter read less than it was asked for");
    } catch (error) {
      nackOrThrow(error);
      return undefined;
    }
    return new Uint8Array(buffer);
  }

  async wake(): Promise<void> {
    // Nobody acknowledges address 0. 01 and not 00 as data, lest it be a general-call reset for somebody.
    await this.write(0x00, Uint8Array.of(0x01));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#bus.close();
  }

  #mustBeOpen(): void {
    if (this.#isClosed) throw new BusError("bus_closed", "the I2C bus was closed");
  }
}

/** Adapters do not agree on how to say NACK; these three are what the kernel's fault codes and drivers use. */
function nackOrThrow(error: unknown): "nack" {
  if (error instanceof BusError) throw error;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "ENXIO":
    case "EREMOTEIO":
    case "EIO":
      return "nack";
    case "ETIMEDOUT":
    case "EAGAIN":
      // No clock edge in time, or arbitration lost with nobody else on the bus: a line is held low.
      throw new BusError("bus_stuck", "SDA or SCL is held low", { cause: error });
    default:
      throw new BusError("bus_failed", "the I2C adapter failed", { cause: error });
  }
}
