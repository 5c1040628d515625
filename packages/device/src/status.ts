/**
 * What the agent shows of itself: a snapshot to poll, and events to listen to.
 *
 * Neither carries a token, a key or a signature.
 */
import type { NumericDate } from "@mayfly/core";
import type { InstructionResult } from "@mayfly/core/instruction";
import type { KeyEvent } from "./key/key-choice.ts";
import type { OutboxStoreRefusal } from "./outbox-store.ts";
import type { BackoffCause } from "./session/backoff.ts";
import type { RefusalAction } from "./session/refusal.ts";

/**
 * `waiting_for_clock`: not connected, and signs nothing until the clock is believed. `renewing`: still connected, with the next token
 * or connection being made. `backing_off`: not connected, waiting to try again.
 */
export type AgentState =
  | "stopped"
  | "waiting_for_clock"
  | "minting"
  | "connecting"
  | "connected"
  | "renewing"
  | "backing_off";

/**
 * How a new token comes into use. `reauthentication`: within the connection (MQTT 5.0 §4.12.1). `handover`: a second
 * connection goes on with the first one's Session (MQTT 3.1.1, Clean Session 0). `reconnect`: a second connection
 * begins anew.
 */
export type RenewalKind = "reauthentication" | "handover" | "reconnect";

/** What stands in the agent's way. */
export interface AgentTrouble {
  readonly because: BackoffCause;
  /** The adapter's, the signer's or the bridge's words for it, such as `ECONNREFUSED`. */
  readonly detail: string;
  /** How far our clock was ahead of the bridge's when the bridge refused a token; below 0 for behind. */
  readonly clockAheadSeconds?: number;
}

export interface AgentStatus {
  readonly state: AgentState;
  /** Of the key that signs now. */
  readonly keyId: string;
  readonly slot?: number;
  /** Of the last instruction that came since the start. */
  readonly lastInstruction?: InstructionResult;
  /** Why nothing is signed now, in words; absent while tokens may be signed. A connection that lives goes on until its end. */
  readonly waitingBecause?: string;
  /** What the agent failed at, and when it tries again; absent while it does not back off. */
  readonly retry?: { readonly because: BackoffCause; readonly inSeconds: number };
  /** What the agent failed at last; absent once the newest token is in use. */
  readonly trouble?: AgentTrouble;
  /** How long the bridge has owed an answer to our PINGREQ; absent while it owes none. */
  readonly unansweredSeconds?: number;
  /** Until `exp` of the token the present connection rests on, never below 0; absent before the first connection. */
  readonly tokenRemainingSeconds?: number;
  /** How the next renewal is to be done; absent while not connected. */
  readonly renewal?: RenewalKind;
  /** When the bridge wants this device to renew, by the bridge's clock; absent where it did not say. */
  readonly renewalWindow?: { readonly from: NumericDate; readonly until: NumericDate };
  /** How CONNECT carries the token: by our Authentication Method, or as the Password that every bridge takes. */
  readonly authentication: "method" | "password";
  /** Version of the config the application took last; absent where the bridge does not say versions (MQTT 3.1.1). */
  readonly configVersion?: number;
  /** New tokens that came into use in place of old ones; the first connection and repairs are not counted. */
  readonly renewals: number;
  /** The same, by how it was done. */
  readonly renewalsBy: Readonly<Record<RenewalKind, number>>;
  /** Successful CONNECTs of any cause. */
  readonly connects: number;
  /** Messages handed to the network, each counted once however often it was sent again. */
  readonly sent: number;
  readonly resent: number;
  /** QoS 1 messages the bridge acknowledged. */
  readonly acknowledged: number;
  /** Messages refused: at `publish`, or by the bridge's PUBACK. */
  readonly refused: number;
  /** Messages given up for newer ones, where the full outbox was to do so. */
  readonly dropped: number;
  /** Waiting for their acknowledgement, sent or not. */
  readonly queuedMessages: number;
  readonly queuedBytes: number;
  /** Why messages that are to outlive the process are not taken, while that is so. */
  readonly outboxTrouble?: OutboxStoreRefusal;
  /** The longest time a credential kept a message from being sent, in whole or broken milliseconds. */
  readonly longestGapMillis: number;
  /** Why the bridge last refused us, in words. */
  readonly lastRefusal?: string;
}

export type AgentEvent =
  | KeyEvent
  | { readonly kind: "state"; readonly state: AgentState }
  /** Nothing is signed from now on; told anew when the reason is another. */
  | { readonly kind: "waiting_for_clock"; readonly because: string }
  /** The bridge refused a token, perhaps for its time: the clock was asked, and answers otherwise now or does not. */
  | { readonly kind: "clock_asked"; readonly outcome: "corrected" | "unchanged" }
  | { readonly kind: "minted"; readonly keyId: string; readonly expSeconds: number }
  | { readonly kind: "sign_failed"; readonly because: string }
  /** A CONNECT was accepted. */
  | { readonly kind: "connected"; readonly renewal: boolean; readonly gapMillis: number }
  /** A new token is in use; where that took a connection, after its `connected`. */
  | { readonly kind: "renewed"; readonly by: RenewalKind; readonly gapMillis: number }
  /** The bridge did not answer an AUTH in time; the renewal goes on by a new connection. */
  | { readonly kind: "reauthentication_unanswered" }
  | {
      readonly kind: "refused";
      readonly reasonCode: number;
      readonly sentence: string;
      readonly action: RefusalAction;
      /** The bridge's own words, cut and in printable ASCII; absent where it had none. */
      readonly reasonString?: string;
      /** Where else it says to go; the agent does not. */
      readonly serverReference?: string;
    }
  | { readonly kind: "connection_lost"; readonly because: string }
  | { readonly kind: "subscription_refused"; readonly topicFilter: string; readonly reasonCode?: number }
  /** The bridge answered a message "not now": it, and all behind it, go again after this pause. */
  | { readonly kind: "message_postponed"; readonly reasonCode: number; readonly retryMillis: number }
  | { readonly kind: "acknowledged"; readonly messageId?: string }
  | { readonly kind: "message_refused"; readonly messageId?: string; readonly reasonCode: number }
  | { readonly kind: "message_dropped"; readonly messageId?: string }
  /** At the start: a store had kept so many messages; where it was `damaged`, something is lost. */
  | { readonly kind: "outbox_opened"; readonly messages: number; readonly damaged: number }
  /** A handler threw, rejected, or did not answer in its time. A config is asked for again, a command is not. */
  | { readonly kind: "handler_failed"; readonly of: "config" | "command"; readonly because: string }
  /** The application took a config it had not. */
  | { readonly kind: "config_applied"; readonly version?: number }
  /** The bridge sent an older version than is in force, or another config under its number: it was restored. It is applied. */
  | { readonly kind: "config_went_back"; readonly from: number; readonly to: number }
  /** Which config is in force could not be stored; it is handed over again after a restart. */
  | { readonly kind: "config_not_kept" }
  /** A command of QoS 0 came while as many handlers ran as may. */
  | { readonly kind: "command_dropped" };
