/**
 * Ports of the agent: what it asks of the machine it runs on.
 *
 * Time, chance, hashing, signing and the network come in here and nowhere else, so that one source
 * serves Node, a microcontroller and the simulator.
 */
import type { ByteLink, ByteLinkEvents, Clock, Es256Signer, Random, Sha256, Timers } from "@mayfly/core";

/**
 * Signs a whole message with a device key: SHA-256 and ECDSA P-256 in one operation.
 *
 * A chip signs a digest ({@link Es256Signer}); Node's own cryptography cannot (it always hashes what it is
 * given), so a software key offers this shape instead. The agent takes either.
 */
export interface Es256MessageSigner {
  readonly keyId: string;
  /** @param message ASCII of a JWS signing input. @returns R‖S, 64 bytes (RFC 7518 §3.4). */
  signMessage(message: Uint8Array): Promise<Uint8Array>;
}

export type AgentSigner = Es256Signer | Es256MessageSigner;

/** Whether the wall clock may be signed with, and how wrong it may be. */
export type ClockTrust =
  | { readonly kind: "ready"; readonly uncertaintySeconds: number }
  | { readonly kind: "waiting"; readonly because: string };

/** What the agent is told of a link it asked for. */
export interface LinkEvents extends ByteLinkEvents {
  /** The link is up (over TLS: the peer is authenticated). At most once, before anything is received. */
  opened(): void;
}

/**
 * Opens a link to the bridge. Never answers synchronously; a link that cannot be had is `closed` without
 * having been `opened`. Writes before `opened` are not made. `close` also gives up an attempt under way.
 */
export type Connect = (events: LinkEvents) => ByteLink;

export interface AgentPorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly sha256: Sha256;
  readonly signer: AgentSigner;
  readonly clockTrusted: () => ClockTrust;
  readonly connect: Connect;
}
