/** The agent's signature; see below. */
import type { AgentOptions } from "./options.ts";
import type { AgentPorts } from "./ports.ts";
import type { AgentEvent, AgentStatus } from "./status.ts";

export type PublishRefusal = "outbox_full" | "message_too_large" | "subfolder_malformed" | "message_id_malformed" | "stopped";

export type PublishOutcome =
  /** QoS 1: the bridge has it, durably. */
  | { readonly kind: "acknowledged" }
  /** QoS 0: handed to the network. */
  | { readonly kind: "sent" }
  /** The bridge does not want it again (PUBACK >= 0x80), or it is larger than the bridge takes. */
  | { readonly kind: "refused"; readonly reasonCode: number }
  | { readonly kind: "stopped" };

export type PublishAnswer =
  /** `outcome` never rejects. */
  | { readonly kind: "accepted"; readonly outcome: Promise<PublishOutcome> }
  | { readonly kind: "refused"; readonly because: PublishRefusal };

export interface PublishOptions {
  /** Telemetry subfolder, `a/b`; default none. */
  readonly subfolder?: string;
  /** Default 1. */
  readonly qos?: 0 | 1;
  /** 1 to 128 bytes; travels as User Property `id` in MQTT 5, nowhere in 3.1.1. */
  readonly messageId?: string;
}

export interface AgentHandlers {
  /** The device's config; acknowledged (PUBACK) once this returns or resolves. */
  readonly config?: (payload: Uint8Array) => void | Promise<void>;
  readonly command?: (payload: Uint8Array, subfolder: string) => void | Promise<void>;
}

export interface Agent {
  /** Begins to mint and connect; keeps at it until `stop`. */
  start(): void;
  /** Takes one telemetry message into the outbox; also before `start` and while not connected. */
  publish(payload: Uint8Array, options?: PublishOptions): PublishAnswer;
  /** As `publish`, to the state topic, QoS 1. */
  publishState(payload: Uint8Array): PublishAnswer;
  /** Sends DISCONNECT and ends; what is not acknowledged is answered `stopped`. */
  stop(): void;
  status(): AgentStatus;
  /** @returns stop listening. */
  onEvent(listener: (event: AgentEvent) => void): () => void;
}

export type CreateAgent = (ports: AgentPorts, options: AgentOptions, handlers?: AgentHandlers) => Agent;
