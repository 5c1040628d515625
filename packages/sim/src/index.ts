/**
 * Front door of the simulator: virtual time, reproducible chance, an in-memory network, a log to compare.
 */
export { createEventLog, type EventLog } from "./event-log.ts";
export {
  type Accept,
  createNetwork,
  type Dialer,
  type Network,
  type NetworkOptions,
} from "./network.ts";
export { createRandom, type SeededRandom } from "./random.ts";
export { createWorld, type World, type WorldOptions } from "./world.ts";
