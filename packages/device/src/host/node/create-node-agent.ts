/**
 * An agent on Node in one call: a TLS target, a key file's text and a device name in, a ready agent out.
 */
import { type Agent, createAgent } from "../../agent.ts";
import type { AgentHandlers } from "../../downlink.ts";
import type { AgentOptions } from "../../options.ts";
import { createSoftwareSigner } from "./software-signer.ts";
import { nodeClock, nodeRandom, nodeSha256, nodeTime, nodeTimers } from "./system-ports.ts";
import { createTlsConnect, type TlsTarget } from "./tls-connect.ts";

export interface NodeAgentOptions extends AgentOptions, TlsTarget {
  /** Device key: PEM or JWK text of a P-256 private key. */
  readonly keyPem: string;
  /** Default: the name the registry gives the key. */
  readonly keyId?: string;
}

/**
 * @throws {AgentOptionError} @throws {IdError} An option is out of range.
 * @throws {SignerError} The key cannot be used.
 */
export function createNodeAgent(options: NodeAgentOptions, handlers: AgentHandlers = {}): Agent {
  const ports = {
    clock: nodeClock,
    timers: nodeTimers,
    random: nodeRandom,
    sha256: nodeSha256,
    signer: createSoftwareSigner(options.keyPem, options.keyId),
    time: nodeTime,
    connect: createTlsConnect(options),
  };
  return createAgent(ports, { bridge: `${options.host}:${options.port}`, ...options }, handlers);
}
