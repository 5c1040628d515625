/**
 * Front door of the agent's adapters for Node.
 */
export { createNodeAgent, type NodeAgentOptions } from "./create-node-agent.ts";
export { type FileStore, openFileStore } from "./file-store.ts";
export { createSoftwareSigner, SignerError, type SignerErrorCode } from "./software-signer.ts";
export {
  buildFloorSeconds,
  nodeClock,
  nodeRandom,
  nodeSha256,
  nodeTime,
  nodeTimers,
} from "./system-ports.ts";
export { createTlsConnect, type TlsTarget } from "./tls-connect.ts";
