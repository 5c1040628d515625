/**
 * What the agent shows of itself: a snapshot to poll, and events to listen to.
 *
 * Neither carries a token, a key or a signature.
 */
import type { RefusalAction } from "./session/refusal.ts";

/**
 * `waiting_for_clock`: signs nothing until the clock is believed. `renewing`: still connected, with the next
 * connection being made. `backing_off`: not connected, waiting to try again.
 */
export type AgentState =
  | "stopped"
  | "waiting_for_clock"
  | "minting"
  | "connecting"
  | "connected"
  | "renewing"
  | "backing_off";

export interface AgentStatus {
  readonly state: AgentState;
  readonly keyId: string;
  readonly slot?: number;
  /** Until `exp` of the token the present connection rests on, never below 0; absent before the first connection. */
  readonly tokenRemainingSeconds?: number;
  /** Connections made by a renewal; the first connection and repairs are not counted. */
  readonly renewals: number;
  /** Successful CONNECTs of any cause. */
  readonly connects: number;
  /** Messages handed to the network, each counted once however often it was sent again. */
  readonly sent: number;
  readonly resent: number;
  /** QoS 1 messages the bridge acknowledged. */
  readonly acknowledged: number;
  /** Messages refused: at `publish`, or by the bridge's PUBACK. */
  readonly refused: number;
  /** Waiting for their acknowledgement, sent or not. */
  readonly queuedMessages: number;
  readonly queuedBytes: number;
  /** The longest time a credential kept a message from being sent, in whole or broken milliseconds. */
  readonly longestGapMillis: number;
  /** Why the bridge last refused us, in words. */
  readonly lastRefusal?: string;
}

export type AgentEvent =
  | { readonly kind: "state"; readonly state: AgentState }
  | { readonly kind: "waiting_for_clock"; readonly because: string }
  | { readonly kind: "minted"; readonly keyId: string; readonly expSeconds: number }
  | { readonly kind: "sign_failed"; readonly because: string }
  | { readonly kind: "connected"; readonly renewal: boolean; readonly gapMillis: number }
  | {
      readonly kind: "refused";
      readonly reasonCode: number;
      readonly sentence: string;
      readonly action: RefusalAction;
    }
  | { readonly kind: "connection_lost"; readonly because: string }
  | { readonly kind: "subscription_refused"; readonly topicFilter: string; readonly reasonCode: number }
  | { readonly kind: "acknowledged"; readonly messageId?: string }
  | { readonly kind: "message_refused"; readonly messageId?: string; readonly reasonCode: number }
  | { readonly kind: "handler_failed"; readonly of: "config" | "command"; readonly because: string };
