/**
 * Front door of the agent's adapters for Node.
 */
export { createNodeAgent, type NodeAgentOptions, nodeWire, openAgentOutbox } from "./create-node-agent.ts";
export { createNodeTimeKeeper, type NodeTimeKeeperOptions } from "./create-node-time-keeper.ts";
export { type FileStore, openFileStore } from "./file-store.ts";
export { createOpenDatagram } from "./node-datagram.ts";
export {
  FileOutboxError,
  type FileOutboxErrorCode,
  type FileOutboxOptions,
  openFileOutbox,
} from "./outbox-file.ts";
export { createSoftwareSigner, SignerError, type SignerErrorCode } from "./software-signer.ts";
export {
  buildFloorSeconds,
  nodeClock,
  nodeRandom,
  nodeSha256,
  nodeTime,
  nodeTimers,
} from "./system-ports.ts";
export { createTimePost, type TimePostTarget } from "./time-post.ts";
export { nodeTimeVerifier } from "./time-verifier.ts";
export { createTlsConnect, type TlsTarget } from "./tls-connect.ts";
