/**
 * An agent on Node in one call: a TLS target, a key file's text and a device name in, a ready agent out.
 */
import { type Agent, createAgent } from "../../agent.ts";
import type { AgentHandlers } from "../../downlink.ts";
import { type AgentOptions, settleOptions } from "../../options.ts";
import type { OutboxStore } from "../../outbox-store.ts";
import type { DeviceTime } from "../../ports.ts";
import { openFileOutbox } from "./outbox-file.ts";
import { createSoftwareSigner } from "./software-signer.ts";
import { nodeClock, nodeRandom, nodeSha256, nodeTime, nodeTimers } from "./system-ports.ts";
import { createTlsConnect, type TlsTarget } from "./tls-connect.ts";

export interface NodeAgentOptions extends AgentOptions, TlsTarget {
  /** Device key: PEM or JWK text of a P-256 private key. */
  readonly keyPem: string;
  /** Default: the name the registry gives the key. */
  readonly keyId?: string;
  /** Default: this machine's clock, which its operating system keeps. */
  readonly time?: DeviceTime;
  /** Folder of an outbox that outlives the process; default none. A folder has one agent. */
  readonly outboxFolder?: string;
}

/** Memory is no matter here, so a bridge that wants to shorten its packets may. */
export const nodeWire = { topicAliasMaximum: 16 } as const;

/**
 * The outbox is written out and its folder free a moment after `stop`.
 *
 * @throws {AgentOptionError} @throws {IdError} An option is out of range.
 * @throws {SignerError} The key cannot be used.
 * @throws {FileOutboxError} The folder cannot be used, or another agent has it.
 */
export function createNodeAgent(options: NodeAgentOptions, handlers: AgentHandlers = {}): Agent {
  const signer = createSoftwareSigner(options.keyPem, options.keyId);
  const ports = {
    clock: nodeClock,
    timers: nodeTimers,
    random: nodeRandom,
    sha256: nodeSha256,
    signer,
    time: options.time ?? nodeTime,
    connect: createTlsConnect(options),
    ...(options.outboxFolder === undefined
      ? undefined
      : { outbox: openAgentOutbox(options.outboxFolder, options) }),
  };
  const bridge = `${options.host}:${options.port}`;
  return createAgent(ports, { bridge, ...options, wire: { ...nodeWire, ...options.wire } }, handlers);
}

/**
 * The outbox in files that fits an agent with these options.
 *
 * @throws {AgentOptionError} @throws {IdError} An option is out of range. @throws {FileOutboxError}
 */
export function openAgentOutbox(folder: string, options: AgentOptions): OutboxStore {
  return openFileOutbox({ folder, bytesMax: settleOptions(options).outbox.bytesMax });
}
