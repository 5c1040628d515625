/**
 * The simulated clock behind the driver's bus port, in virtual time. For tests and demos in one process.
 */
import type { I2cBus } from "../../../ports.ts";
import type { Ds3231Sim } from "./ds3231-sim.ts";

/** @returns A bus on which only this clock sits. While SDA is held low no transaction ends, as on a controller without a timeout. */
export function ds3231SimBus(sim: Pick<Ds3231Sim, "read" | "write">): I2cBus {
  return {
    async write(address, bytes) {
      const outcome = sim.write(address, bytes);
      return outcome === "stuck" ? await new Promise<never>(() => {}) : outcome;
    },
    async read(address, length) {
      const bytes = sim.read(address, length);
      if (bytes === "stuck") return await new Promise<never>(() => {});
      return bytes === "nack" ? undefined : bytes;
    },
  };
}
