/**
 * The MQTT bridge: a pure machine over many Network Connections. Bytes, ticks and answers in; bytes, timers
 * and requests out. The same engine runs behind TLS sockets and in the simulator's virtual time.
 *
 * This file holds what concerns all connections at once: who is connected, takeover, the one clock, changes
 * of the registry, draining. One connection's life is in `connection.ts`.
 */
import type { ByteLink, ByteLinkEvents, Clock, Random, Timers } from "@mayfly/core";
import type { ProtocolVersion } from "@mayfly/core/mqtt";
import type { Admission, DevicePrincipal } from "../auth/admission.ts";
import type { KeyVerifier } from "../auth/key-verifier.ts";
import type { DeviceRef } from "../registry/model.ts";
import type { RegistryStore } from "../registry/store.ts";
import type { Backbone } from "../telemetry/backbone.ts";
import type { Intake } from "../telemetry/intake.ts";
import type { BridgeObserver, LinkFacts } from "./observer.ts";

export interface BridgePorts {
  readonly clock: Clock;
  /** `after(0, …)` ends a turn: on Node make it `setImmediate`, so that acknowledgements leave without waiting. */
  readonly timers: Timers;
  readonly random: Random;
  readonly registry: Pick<
    RegistryStore,
    "lookUpAdmission" | "lookUpConfig" | "appendState" | "acknowledgeConfig" | "recordActivity" | "onChange"
  >;
  readonly backbone: Pick<Backbone, "append">;
  readonly verifier: KeyVerifier;
  readonly observer: BridgeObserver;
}

export interface BridgeOptions {
  /** Network Connections at once, default 20,000. One above it is closed at once. */
  readonly connectionMax?: number;
  /** Of these, not yet admitted, default 1,000. */
  readonly unauthenticatedMax?: number;
}

/** What came of a command. Only `delivered` means the device has it (QoS 1) or it left (QoS 0). */
export type CommandOutcome =
  | "delivered"
  | "not_connected"
  | "not_subscribed"
  /** As many commands as the device takes at once are unacknowledged already. */
  | "too_many"
  /** Payload above 256 KiB, or above the device's Maximum Packet Size. */
  | "too_large"
  /** No PUBACK within 5 s; the device may have it all the same. */
  | "timed_out"
  | "connection_lost";

export interface SessionView {
  readonly principal: DevicePrincipal;
  readonly protocolVersion: ProtocolVersion;
  readonly link: LinkFacts;
  readonly connectedMs: number;
  readonly deadlineSeconds: number;
  readonly subscriptions: readonly ("config" | "commands")[];
  readonly unacknowledged: number;
}

/** Gauges. All are 0 when nobody is connected, but for the bounded hints of admission. */
export interface BridgeCounts {
  readonly connections: number;
  readonly unauthenticated: number;
  readonly sessions: number;
  /** Connections waiting for a due time (one entry each). */
  readonly deadlines: number;
  /** PUBLISHes handed to the store and not answered. */
  readonly unacknowledged: number;
  /** PUBLISHes decoded and held back. */
  readonly held: number;
  readonly heldBytes: number;
  /** Config and commands sent at QoS 1 and not acknowledged. */
  readonly downlinkInFlight: number;
  /** Sessions to be judged again after a change of the registry. */
  readonly rejudgements: number;
}

export interface Bridge {
  /** Takes over a Network Connection. The host feeds the returned events and calls `closed` once. */
  open(link: ByteLink, facts: LinkFacts): ByteLinkEvents;
  /**
   * Sends a command to a connected device that subscribed to `commands/#`.
   * @param answer called exactly once; at QoS 1 when the device acknowledged, at QoS 0 at once.
   */
  sendCommand(
    device: DeviceRef,
    command: { readonly payload: Uint8Array; readonly subfolder: string },
    answer: (outcome: CommandOutcome) => void,
  ): void;
  sessions(): readonly SessionView[];
  findSession(device: DeviceRef): SessionView | undefined;
  counts(): BridgeCounts;
  /** Takes no new connections; ends each session (0x8B) once its PUBLISHes are durable, after 2 s at the latest. */
  drain(): void;
  /** Ends everything now, and stops listening to the registry. */
  close(): void;
  /** Shared with the HTTP bridge: one policy, one set of caches. */
  readonly admission: Admission;
  readonly intake: Intake;
}
