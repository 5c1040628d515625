/** Front door on Node: buses, time, and what the simulated chip needs of a machine. */
export { loadChipImage, saveChipImage } from "./chip-image-file.ts";
export {
  type ChipSocketServer,
  type ChipSocketServerOptions,
  CLIENTS_WAITING_MAX,
  startChipSocketServer,
} from "./chip-socket-server.ts";
export {
  type I2cBusModule,
  type LinuxI2cBus,
  openLinuxI2cBus,
  type PromisifiedI2cBus,
} from "./linux-i2c-bus.ts";
export { nodeSimCrypto } from "./sim-crypto.ts";
export type { SimBusDevice } from "./sim-wire.ts";
export { openSocketBus, SOCKET_REQUESTS_MAX, type SocketBus, type SocketBusOptions } from "./socket-bus.ts";
export { systemChipTime } from "./system-time.ts";
