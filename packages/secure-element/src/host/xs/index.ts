/** Front door for the Moddable SDK: bus and time. Adds no module of the SDK: a firmware's `main` hands them in. */
export type { I2cIo, I2cIoClass, I2cIoOptions, XsTime, XsTimer } from "./i2c-types.ts";
export { xsChipTime } from "./xs-chip-time.ts";
export { XS_ADDRESSES_MAX, XsI2cBus, type XsI2cBusOptions } from "./xs-i2c-bus.ts";
