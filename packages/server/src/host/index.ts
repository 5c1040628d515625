/** The bridge on Node: what a `main` puts together. */

export { openSqliteBackbone } from "../backbone/sqlite/index.ts";
export { openSqliteRegistryStore } from "../store/sqlite/index.ts";
export type { Backbone } from "../telemetry/backbone.ts";
export { bootstrapTokenLifetimeMillis, hashAdminToken, makeAdminToken } from "./bootstrap-token.ts";
export { type DataFolder, dataFolderPaths, type Endpoints } from "./data-folder.ts";
export { createNodeKeyVerifier } from "./node-key-verifier.ts";
export { openServerIdentity, type ServerIdentity } from "./server-identity.ts";
export {
  defaultPorts,
  type ListenAddress,
  mqttListenMax,
  type RunningServer,
  type ServerOptions,
  startServer,
} from "./start-server.ts";
export { nodeSha256, systemClock, systemRandom, systemTimers } from "./system-ports.ts";
export {
  makeTimeKeyFile,
  makeTimeRoot,
  parseTimeKeyFile,
  pointOf,
  TimeKeyError,
  type TimeKeyFile,
} from "./time-key-file.ts";
