/**
 * Front door of the DS3231 simulator: a clock chip over bytes, and a bus to put it on. For tests and tools.
 */
export { agingStepPpm, type Crystal } from "./crystal.ts";
export { createDs3231Sim, type Ds3231Sim, type Ds3231SimOptions } from "./ds3231-sim.ts";
export { ds3231SimBus } from "./sim-bus.ts";
