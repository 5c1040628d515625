/**
 * What a session machine is told at its start, and what it says: orders in, reports out.
 *
 * Left to others: the machine itself (`session.ts`).
 */
import type { ProtocolVersion } from "@mayfly/core/mqtt";
import type { TimeHint } from "../ports.ts";
import type { AuthenticationFormName } from "./authentication-form.ts";
import type { BridgeHints, TimeRefusal } from "./bridge-hints.ts";
import type { DownlinkReceipt } from "./downlink-acknowledgements.ts";

export interface SessionOptions {
  readonly protocolVersion: ProtocolVersion;
  readonly clientIdentifier: string;
  /** Id in the topics. */
  readonly device: string;
  readonly keepAliveSeconds: number;
  /** Clean Session in 3.1.1. */
  readonly cleanStart: boolean;
  /** How CONNECT carries the token. */
  readonly authentication: AuthenticationFormName;
}

/** What CONNECT says of this moment. */
export interface ConnectOrder {
  /** JWS Compact Serialization. */
  readonly token: string;
  /** Says whose agent this is, which the bridge holds to more, and what it is about to do. */
  readonly userName: string;
}

export type SessionEnd =
  | "link_closed"
  | "connack_timeout"
  | "ping_timeout"
  | "protocol_error"
  | "bridge_disconnected"
  | "not_served";

export type SessionReport =
  /** `isResumed`: Session Present; `resent` messages went out again by themselves. */
  | {
      readonly kind: "accepted";
      readonly isResumed: boolean;
      readonly resent: number;
      readonly hints: BridgeHints;
    }
  | {
      readonly kind: "refused";
      readonly reasonCode: number;
      /** The bridge's time, written between our CONNECT and now; where it said so. */
      readonly hint?: TimeHint;
      readonly refusedFor?: TimeRefusal;
    }
  | { readonly kind: "reauthenticated"; readonly hints: BridgeHints }
  /** The AUTH was not answered in time. The connection goes on, and takes no other. */
  | { readonly kind: "reauthentication_unanswered" }
  /** A QoS 1 message of ours was answered; there is room for another. */
  | { readonly kind: "answered"; readonly key: number; readonly reasonCode: number }
  | { readonly kind: "subscription_refused"; readonly topicFilter: string; readonly reasonCode: number }
  /** Answer with `settleDownlink` where there is a receipt. `payload` is a copy. */
  | {
      readonly kind: "config" | "command";
      readonly payload: Uint8Array;
      readonly subfolder: string;
      readonly receipt: DownlinkReceipt | undefined;
    }
  /** The last report, after `refused` too. `reasonCode` where the bridge gave one. */
  | {
      readonly kind: "ended";
      readonly because: SessionEnd;
      readonly reasonCode?: number;
      readonly refusedFor?: TimeRefusal;
    };

export interface SessionOutput {
  write(bytes: Uint8Array): void;
  /** Close the link once what was written has left. */
  close(): void;
  report(report: SessionReport): void;
}
