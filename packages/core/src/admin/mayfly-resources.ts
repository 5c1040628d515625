/**
 * Mayfly's own resources under `/mayfly/v1`: what Cloud IoT Core's v1 JSON has no place for.
 *
 * Registry policy and retention, keys with their states, sessions. Instants are RFC 3339 text and counts plain
 * numbers, as in `resources.ts`; lists never leave an empty one out.
 */
import type { InstructionOutcome } from "../instruction/instruction-result.ts";
import type { KeyState } from "../token/key-state.ts";
import type { RegistryPolicy } from "../token/policy.ts";
import type { Authenticity, TokenErrorCode } from "../token/token-error.ts";
import type { Device, EventNotificationConfig, LogLevel, PublicKeyFormat } from "./resources.ts";

/** How long and how much of its events a registry keeps; the bound reached first wins. */
export interface RetentionView {
  /** 60 s to 10 years. */
  readonly ageSeconds: number;
  /** 1 MiB to 2^53 - 1. */
  readonly bytes: number;
}

/** A registry with everything Mayfly adds to the v1 resource. */
export interface RegistryDetails {
  readonly id: string;
  readonly name: string;
  readonly numId: string;
  readonly policy: RegistryPolicy;
  readonly retention: RetentionView;
  /** Absent: none; the first that matches routes an event. */
  readonly eventNotificationConfigs?: readonly EventNotificationConfig[];
  readonly stateNotificationConfig?: { readonly pubsubTopicName: string };
  /** Absent: nothing is logged. */
  readonly logLevel?: LogLevel;
  readonly mqttEnabled: boolean;
  readonly httpEnabled: boolean;
  readonly createTime: string;
  readonly updateTime: string;
}

/** A preset and what differs from it. In a change, `preset` first resets every field to that preset. */
export type PolicyInput = Partial<RegistryPolicy>;

export interface RegistryCreation {
  readonly id: string;
  /** Default `{ preset: "strict" }`. */
  readonly policy?: PolicyInput;
  readonly retention?: Partial<RetentionView>;
  /** At most 10. */
  readonly eventNotificationConfigs?: readonly EventNotificationConfig[];
  readonly stateNotificationConfig?: { readonly pubsubTopicName: string };
  readonly logLevel?: LogLevel;
}

export interface RegistryChangeInput {
  readonly policy?: PolicyInput;
  readonly retention?: Partial<RetentionView>;
  /** At most 10. */
  readonly eventNotificationConfigs?: readonly EventNotificationConfig[];
  readonly stateNotificationConfig?: { readonly pubsubTopicName: string };
  readonly logLevel?: LogLevel;
}

export interface RegistryDetailsPage {
  readonly registries: readonly RegistryDetails[];
  readonly nextPageToken?: string;
}

export interface DeviceKey {
  /** Unique in its device. */
  readonly keyId: string;
  /** Which of the chip's key pairs, where known: 0 to 255. */
  readonly slot?: number;
  readonly state: KeyState;
  readonly format: PublicKeyFormat;
  /** PEM, as registered. */
  readonly key: string;
  /** SHA-256 of the SubjectPublicKeyInfo, 64 lower-case hexadecimal digits. */
  readonly fingerprint: string;
  /** Absent: never. For a retiring key the end of its overlap. */
  readonly expirationTime?: string;
  readonly createTime: string;
  /** When it last verified a token, where it is the key that did so last. */
  readonly lastUsedTime?: string;
}

export interface DeviceKeyCreation {
  readonly format: PublicKeyFormat;
  readonly key: string;
  /** Letters, digits, `-`, `_`, 1 to 64 characters. Default: the first 16 digits of the fingerprint. */
  readonly keyId?: string;
  readonly slot?: number;
  /** Default `active`. */
  readonly state?: "pending" | "active";
  readonly expirationTime?: string;
}

export interface DeviceKeyChange {
  readonly state?: Exclude<KeyState, "pending">;
  /** Required with `retiring`; the epoch clears it. */
  readonly expirationTime?: string;
  readonly slot?: number;
}

/** A device, its keys in all states, and what else v1 does not show. */
export interface DeviceDetails {
  readonly device: Device;
  readonly keys: readonly DeviceKey[];
  /** Tokens issued before this instant are refused. */
  readonly tokensNotBefore?: string;
  /** The last one it was given. */
  readonly instruction?: InstructionView;
  readonly attestation?: AttestationView;
}

/** What a device is to do about its keys. */
export type InstructionOrderInput = (
  | { readonly scope: "use-key"; readonly slot: number }
  | { readonly scope: "use-key"; readonly keyId: string }
  | { readonly scope: "offer-key"; readonly slot: number }
) & {
  /** 1 s to 90 days; default an hour. */
  readonly lifetimeSeconds?: number;
  /** 1 to 64 of letters, digits, `-` and `_`. */
  readonly campaign?: string;
};

export interface InstructionView {
  /** Grows with each instruction of the device. */
  readonly number: number;
  readonly scope: "use-key" | "offer-key";
  readonly slot?: number;
  readonly keyId?: string;
  readonly campaign?: string;
  readonly issueTime: string;
  readonly expirationTime: string;
  /** What the device said came of it. That a key is in use is proved by its `lastUsedTime`. */
  readonly outcome?: InstructionOutcome;
  readonly outcomeTime?: string;
  /** What was made of the key it offered. */
  readonly offer?: string;
}

/** The chip that may attest keys of a device. */
export interface AttestationView {
  /** 18 lower-case hexadecimal digits. */
  readonly chipSerial: string;
  /** Slot of the attestation key, 0 to 15. */
  readonly slot: number;
  /** Its public key: P-256, PEM. */
  readonly key: string;
}

export interface DeviceDetailsChange {
  /** `null` clears. */
  readonly tokensNotBefore?: string | null;
  readonly attestation?: AttestationView | null;
}

/** The live session of a device, or that there is none. */
export type SessionAnswer =
  | { readonly connected: false }
  | { readonly connected: true; readonly session: SessionDetails };

export interface SessionDetails {
  readonly connectTime: string;
  /** `4` is MQTT 3.1.1, `5` is MQTT 5.0. */
  readonly protocolVersion: number;
  readonly remoteAddress: string;
  readonly tlsVersion?: string;
  readonly keyId: string;
  /** When the bridge will close the session unless it is renewed. */
  readonly deadlineTime: string;
  readonly subscribedToConfig: boolean;
  readonly subscribedToCommands: boolean;
}

/** What is on record of attempts to authenticate as a device, newest first, at most 50. */
export interface AuthenticationLog {
  readonly records: readonly (AuthenticationAttempt | AuthenticationEvidence)[];
  /** Absent where no authentic token says anything about it. */
  readonly clock?: ClockOffsetView;
}

/** How far the device's clock is off, by its authentic tokens. */
export interface ClockOffsetView {
  /** Negative when it is behind. */
  readonly offsetSeconds: number;
  /** Tokens it rests on, 1 to 3. */
  readonly samples: number;
  readonly asOfTime: string;
}

/** Equal attempts: the same token from the same place with the same outcome, or refusals nobody can tell apart. */
export interface AuthenticationAttempt {
  readonly kind: "attempt";
  readonly firstTime: string;
  /** Of the latest that was noted: may lag by a minute, by 15 for accepted ones; so may `attempts`. */
  readonly lastTime: string;
  readonly attempts: number;
  readonly bridge: "mqtt" | "http";
  readonly purpose: "connect" | "reauthenticate" | "request" | "attach";
  readonly outcome: "accepted" | "bridge_disabled" | TokenErrorCode;
  /** Did a key of this device sign? `unchecked`: nobody looked. What follows is hearsay unless it is authentic. */
  readonly authenticity: Authenticity | "unchecked";
  /** Had the bridge not verified this very token before? */
  readonly firstSeen?: boolean;
  /** NumericDate, as the token says. */
  readonly iat?: number;
  readonly exp?: number;
  /** By how many seconds `iat` was backdated. */
  readonly u?: number;
  /** `iat + u` less the time of arrival: authentic tokens that were not seen before only. */
  readonly offsetSeconds?: number;
  readonly keyId?: string;
  readonly slot?: number;
  readonly remoteAddress: string;
  readonly tlsVersion?: string;
  readonly tlsResumed?: boolean;
}

/** A key or a token seems to be in more hands than one. Nobody was refused for it. */
export interface AuthenticationEvidence {
  readonly kind: "evidence";
  readonly time: string;
  readonly evidence: "shared_key" | "token_reused" | "forked_series";
  readonly remoteAddresses: readonly string[];
  readonly keyId?: string;
  /** The name a token of this device came under. */
  readonly otherDevice?: string;
}
