/** The simulator's front door: a chip over bytes, its images, its faults, and a bus to put it on. */

export type { ChipSim, ChipSimOptions, ReadResult, WriteResult } from "./chip-sim.ts";
export { createChipSim, TRANSACTION_BYTES_MAX } from "./chip-sim.ts";
export type { Profile } from "./execution-time.ts";
export { type FaultName, type FaultPlan, type FaultSpan, faultNames } from "./faults.ts";
export type { ChipRevision, ImageName, ImageParts } from "./images.ts";
export { composeEeprom, encodeImage, ImageError } from "./images.ts";
export type { SimBusOptions } from "./sim-bus.ts";
export { simBus } from "./sim-bus.ts";
export type { RunningSha256, SimCrypto } from "./sim-crypto.ts";
