/**
 * What the MQTT bridge tells the world while it works: for metrics, logs and audit.
 *
 * Facts only, never a token, key or signature. Every method must return quickly and must not throw; the
 * bridge does not wait for it. Depths of queues are asked for (`Bridge.counts`), not told.
 */
import type { DeviceName } from "@mayfly/core";
import type { ProtocolVersion } from "@mayfly/core/mqtt";
import type { TokenErrorCode } from "@mayfly/core/token";
import type { AdmissionObserver, DevicePrincipal } from "../auth/admission.ts";
import type { AttachmentRefusal } from "../auth/attachment.ts";
import type { IntakeRefusal } from "../telemetry/intake.ts";
import type { CloseReason } from "./close-reason.ts";
import type { DetachReason } from "./detach-reason.ts";
import type { GatewayErrorType } from "./gateway-errors.ts";

/** What the host knows of a Network Connection. */
export interface LinkFacts {
  readonly remoteAddress: string;
  readonly tlsVersion?: string;
  readonly tlsResumed?: boolean;
}

/** Why a CONNECT was not accepted. Closed set, fit for a metric's label. */
export type ConnectRefusal =
  | TokenErrorCode
  | "client_identifier_malformed"
  | "protocol_version_unsupported"
  | "authentication_method_unsupported"
  | "credentials_ambiguous"
  | "will_unsupported"
  | "malformed_packet"
  | "protocol_error"
  | "packet_too_large"
  /** Its Maximum Packet Size has no room for the CONNACK. */
  | "client_packets_too_small"
  | "not_connect"
  | "bridge_disabled"
  | "registry_unavailable"
  | "server_busy"
  | "connect_timeout"
  | "too_many_connections"
  | "too_many_unauthenticated"
  | "shutting_down";

/** Why a re-authentication was refused, and the session with it. Closed set, fit for a metric's label. */
export type ReauthenticationRefusal =
  | TokenErrorCode
  | "protocol_error"
  | "reauthentication_too_often"
  | "bridge_disabled"
  | "registry_unavailable";

/** Why a device was not attached. Closed set, fit for a metric's label. */
export type AttachRefusal =
  | AttachmentRefusal
  | "attach_malformed"
  | "too_many_attached"
  | "attaches_too_often"
  | "attach_timeout";

export interface BridgeObserver extends AdmissionObserver {
  /** A CONNECT was accepted. */
  connected(facts: {
    readonly principal: DevicePrincipal;
    readonly protocolVersion: ProtocolVersion;
    readonly link: LinkFacts;
    readonly tookOver: boolean;
    /** Of the connection that made way for it. */
    readonly linkBefore?: LinkFacts;
    /** A Session that was kept goes on (Session Present). */
    readonly resumed: boolean;
    /** From the link's opening to the CONNACK. */
    readonly millis: number;
    /** The live session ends at the latest here (wall time, seconds). */
    readonly deadlineSeconds: number;
  }): void;
  /** A CONNECT was refused, or none came. `authenticity` where time alone failed. */
  connectRefused(facts: {
    readonly because: ConnectRefusal;
    readonly deviceName?: DeviceName;
    readonly authenticity?: "authentic" | "unauthenticated";
    readonly link: LinkFacts;
  }): void;
  /** A live session got its next token in place. */
  renewed(facts: {
    readonly principal: DevicePrincipal;
    /** It verified with another key than the one before. */
    readonly keyChanged: boolean;
    /** What was left of the old right, in seconds. */
    readonly secondsLeft: number;
    readonly link: LinkFacts;
  }): void;
  /** A re-authentication was refused; the session ends. `authenticity` where time alone failed. */
  renewalRefused(facts: {
    readonly principal: DevicePrincipal;
    readonly because: ReauthenticationRefusal;
    readonly authenticity?: "authentic" | "unauthenticated";
    readonly link: LinkFacts;
  }): void;
  /** A live session ended. */
  disconnected(facts: {
    readonly principal: DevicePrincipal;
    readonly because: CloseReason;
    readonly link: LinkFacts;
    readonly connectedMillis: number;
    /** PUBLISHes taken and not acknowledged when it ended: the device will send them again. */
    readonly unacknowledged: number;
  }): void;
  /** A gateway attached a device, or attached it again, which renews its right. */
  attached(facts: {
    readonly principal: DevicePrincipal;
    readonly gateway: DevicePrincipal;
    readonly isRenewal: boolean;
    readonly link: LinkFacts;
  }): void;
  /** A gateway wanted to attach a device, and may not. @param facts.device as the gateway called it. */
  attachRefused(facts: {
    readonly because: AttachRefusal;
    readonly device: string;
    readonly gateway: DevicePrincipal;
    /** Where the device's token was refused: why. */
    readonly code?: TokenErrorCode;
    readonly link: LinkFacts;
  }): void;
  /** A device is attached no longer. */
  detached(facts: {
    readonly principal: DevicePrincipal;
    readonly gateway: DevicePrincipal;
    readonly because: DetachReason;
    readonly link: LinkFacts;
  }): void;
  /** A gateway was told of an error, or could not be: it did not subscribe, does not read, or there are too many. */
  gatewayError(facts: { readonly type: GatewayErrorType; readonly isTold: boolean }): void;
  /** A PUBLISH was handed to the store. */
  published(facts: {
    readonly kind: "events" | "state";
    readonly qos: 0 | 1;
    readonly payloadBytes: number;
  }): void;
  /** A PUBACK left. @param facts.millis from the PUBLISH's arrival. */
  acknowledged(facts: { readonly kind: "events" | "state"; readonly millis: number }): void;
  /**
   * The store refused a message, too many wait for it, or the device is over its rate: QoS 0 is lost, QoS 1 stays
   * unacknowledged.
   */
  notStored(facts: {
    readonly qos: 0 | 1;
    readonly because: IntakeRefusal | "overloaded" | "rate_limited";
  }): void;
  /** A command or config left for a device. */
  sent(facts: {
    readonly kind: "config" | "command";
    readonly qos: 0 | 1;
    readonly payloadBytes: number;
  }): void;
}
