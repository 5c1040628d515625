/**
 * Sim wire: the simulated chip and whatever else sits on its bus, on the same two lines and in the same time.
 *
 * Each device sees each transaction, as on a bus, and reckons for itself what it took; afterwards all go on to the time of
 * the latest. While one of them holds SDA low nobody can talk, and nobody is asked.
 */

/** A device on the bus, by its shape: the simulated chip is one. */
export interface SimBusDevice {
  /** START, address + W, bytes, STOP. @param address 7-bit. @returns "nack" where another one is meant. */
  write(address: number, bytes: Uint8Array, hz: number): "ack" | "nack" | "stuck";
  /** START, address + R, `length` bytes, STOP. */
  read(address: number, length: number, hz: number): Uint8Array | "nack" | "stuck";
  /** 0 or more. */
  advanceMicros(micros: number): void;
  /** Since the device was made. */
  nowMicros(): number;
  /** SDA is held low: every transaction is stuck. */
  isHoldingBus(): boolean;
}

const BUS_HZ_DEFAULT = 100_000;

export class SimWire {
  readonly #devices: readonly SimBusDevice[];
  readonly #startMicros: readonly number[];
  #hz = BUS_HZ_DEFAULT;
  #now = 0;

  constructor(devices: readonly SimBusDevice[]) {
    this.#devices = devices;
    this.#startMicros = devices.map((device) => device.nowMicros());
  }

  /** Since the wire was made. */
  nowMicros(): number {
    return this.#now;
  }

  setBusHz(hz: number): void {
    this.#hz = hz;
  }

  /** @returns Whether it was acknowledged. */
  write(address: number, bytes: Uint8Array): boolean {
    if (this.#isHeld()) return false;
    const outcomes = this.#devices.map((device) => device.write(address, bytes, this.#hz));
    this.#align();
    return outcomes.includes("ack");
  }

  /** @returns The first bytes anybody answers; undefined for a NACK. */
  read(address: number, length: number): Uint8Array | undefined {
    if (this.#isHeld()) return undefined;
    const outcomes = this.#devices.map((device) => device.read(address, length, this.#hz));
    this.#align();
    return outcomes.find((outcome) => typeof outcome !== "string");
  }

  advanceMicros(micros: number): void {
    this.#goTo(this.#now + micros);
  }

  #isHeld(): boolean {
    return this.#devices.some((device) => device.isHoldingBus());
  }

  #align(): void {
    this.#goTo(Math.max(...this.#devices.map((device, index) => this.#timeOf(device, index))));
  }

  #goTo(micros: number): void {
    for (const [index, device] of this.#devices.entries()) {
      const behind = micros - this.#timeOf(device, index);
      if (behind > 0) device.advanceMicros(behind);
    }
    this.#now = Math.max(this.#now, micros);
  }

  #timeOf(device: SimBusDevice, index: number): number {
    return device.nowMicros() - (this.#startMicros[index] ?? 0);
  }
}
