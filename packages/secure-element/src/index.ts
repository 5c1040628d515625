/**
 * An ATECC608 and how to reach it: the ports an adapter implements, and the chip's errors.
 *
 * The driver is behind `signer`, the factory's commands behind `provisioning`, the simulated chip behind `sim`.
 */
export { ChipError, type ChipErrorCode } from "./atecc608/chip-error.ts";
export { BusError, type BusErrorCode, type ChipTime, type I2cBus } from "./bus.ts";
export { crc16 } from "./crc16.ts";
