/**
 * Mayfly's own resources under `/mayfly/v1`: what Cloud IoT Core's v1 JSON has no place for.
 *
 * Registry policy and retention, keys with their states, sessions. Instants are RFC 3339 text and counts plain
 * numbers, as in `resources.ts`; lists never leave an empty one out.
 */
import type { KeyState } from "../token/key-state.ts";
import type { RegistryPolicy } from "../token/policy.ts";
import type { Device, PublicKeyFormat } from "./resources.ts";

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
}

export interface RegistryChangeInput {
  readonly policy?: PolicyInput;
  readonly retention?: Partial<RetentionView>;
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
}

export interface DeviceDetailsChange {
  /** `null` clears. */
  readonly tokensNotBefore?: string | null;
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
