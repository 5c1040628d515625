/** The simulated chip behind the driver's own ports: an I2C bus and a clock, both in virtual time. For tests and demos in one process. */

import type { ChipTime, I2cBus } from "../bus.ts";
import { BusError } from "../bus.ts";
import type { ChipSim } from "./chip-sim.ts";

export interface SimBusOptions {
  /** The clock of ordinary transactions; the wake pulse always goes at 100 kHz. Default 100 000. */
  readonly hz?: number;
}

const WAKE_HZ = 100_000;

/**
 * @returns A bus on which only this chip sits. A stuck bus rejects with `bus_stuck`. `delayMicros` moves the chip's
 *   time and resolves at once.
 */
export function simBus(sim: ChipSim, options: SimBusOptions = {}): I2cBus & ChipTime {
  const hz = options.hz ?? WAKE_HZ;
  const stuck = (): BusError => new BusError("bus_stuck", "SDA is held low");
  return {
    async write(address, bytes) {
      const result = sim.write(address, bytes, hz);
      if (result === "stuck") throw stuck();
      return result;
    },
    async read(address, length) {
      const result = sim.read(address, length, hz);
      if (result === "stuck") throw stuck();
      return result === "nack" ? undefined : result;
    },
    async wake() {
      if (sim.write(0x00, Uint8Array.of(0x01), WAKE_HZ) === "stuck") throw stuck();
    },
    monotonicMillis: () => sim.nowMicros() / 1000,
    async delayMicros(micros) {
      sim.advanceMicros(micros);
    },
  };
}
