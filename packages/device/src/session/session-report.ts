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
import type { ReasonWords } from "./reason-words.ts";
import type { WireSettings } from "./wire-settings.ts";

export interface SessionOptions {
  readonly protocolVersion: ProtocolVersion;
  readonly clientIdentifier: string;
  /** Id in the topics. */
  readonly device: string;
  readonly keepAliveSeconds: number;
  /** Clean Session in 3.1.1. With false, 5.0 asks for {@link WireSettings.sessionExpirySeconds}. */
  readonly cleanStart: boolean;
  /** How CONNECT carries the token. */
  readonly authentication: AuthenticationFormName;
  readonly wire: WireSettings;
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
  /** The bridge owed a PUBACK for too long; what is unacknowledged goes over the next connection. */
  | "puback_timeout"
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
  | ({
      readonly kind: "refused";
      readonly reasonCode: number;
      /** The bridge's time, written between our CONNECT and now; where it said so. */
      readonly hint?: TimeHint;
      readonly refusedFor?: TimeRefusal;
      /** How long the bridge wants to be left alone; where it said so. */
      readonly retryAfterSeconds?: number;
    } & ReasonWords)
  | { readonly kind: "reauthenticated"; readonly hints: BridgeHints }
  /** The AUTH was not answered in time. The connection goes on, and takes no other. */
  | { readonly kind: "reauthentication_unanswered" }
  /** A QoS 1 message of ours was answered for good; there is room for another. */
  | ({ readonly kind: "answered"; readonly key: number; readonly reasonCode: number } & ReasonWords)
  /** One was answered "not now", and goes again by itself. */
  | { readonly kind: "postponed"; readonly reasonCode: number; readonly retryMillis: number }
  /** Whoever was told by `mayPublish` to wait may ask again. */
  | { readonly kind: "room" }
  /** `reasonCode` is missing where the bridge did not answer at all. */
  | { readonly kind: "subscription_refused"; readonly topicFilter: string; readonly reasonCode?: number }
  | DownlinkMessage
  /** The last report, after `refused` too. `reasonCode` where the bridge gave one. */
  | ({
      readonly kind: "ended";
      readonly because: SessionEnd;
      readonly reasonCode?: number;
      /** The bridge's time in its answer to an AUTH, written between that and now. */
      readonly hint?: TimeHint;
      readonly refusedFor?: TimeRefusal;
    } & ReasonWords);

/** Answer with `settleDownlink` where there is a receipt. */
export interface DownlinkMessage {
  readonly kind: "config" | "command";
  /** A copy. */
  readonly payload: Uint8Array;
  /** Of a command; empty for none. */
  readonly subfolder: string;
  /** `undefined` at QoS 0. */
  readonly receipt: DownlinkReceipt | undefined;
  /** Of a config, where the bridge said which it is. */
  readonly version?: number;
}

export interface SessionOutput {
  write(bytes: Uint8Array): void;
  /** Written and not taken by the network. */
  bufferedBytes(): number;
  /** Close the link once what was written has left. */
  close(): void;
  report(report: SessionReport): void;
}
