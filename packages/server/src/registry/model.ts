/**
 * What the registry knows: registries, devices, their keys, configs and states, as the bridge works with them.
 *
 * These are the domain's own values. The v1 JSON of the admin API is made from them in `http/`, rows in
 * `store/`. 64-bit numbers that a client sees as text (numId) are text here too; instants are epoch
 * milliseconds except where a name says seconds.
 */
import type { InstructionOutcome } from "@mayfly/core/instruction";
import type { KeyState, RegistryPolicy } from "@mayfly/core/token";
import type { Presence } from "../presence/presence.ts";

/** `projects/{project}/locations/{location}/registries/{registry}` in parts. */
export interface RegistryRef {
  readonly project: string;
  readonly location: string;
  readonly registry: string;
}

/** A registry for as long as it lives: one made later under the same name has another numId. */
export interface RegistryIdentity extends RegistryRef {
  readonly numId: string;
}

/** A device by its string id or its numId: numIds are all digits, ids begin with a letter, so they can't be confused. */
export interface DeviceRef extends RegistryRef {
  readonly device: string;
}

export type PublicKeyFormat = "RSA_PEM" | "RSA_X509_PEM" | "ES256_PEM" | "ES256_X509_PEM";
export type LogLevel = "LOG_LEVEL_UNSPECIFIED" | "NONE" | "ERROR" | "INFO" | "DEBUG";

/** What a registry keeps of its events. The older of the two bounds wins. */
export interface EventRetention {
  readonly ageSeconds: number;
  readonly bytes: number;
}

/** 7 days or 1 GiB, whichever is reached first. */
export const eventRetentionDefault: EventRetention = { ageSeconds: 7 * 86_400, bytes: 1024 ** 3 };

export interface RegistryRecord extends RegistryRef {
  /** Server-made, unique; text of a positive 64-bit integer, never reused. */
  readonly numId: string;
  readonly policy: RegistryPolicy;
  readonly retention: EventRetention;
  readonly mqttEnabled: boolean;
  readonly httpEnabled: boolean;
  readonly logLevel: LogLevel;
  readonly eventNotificationConfigs: readonly {
    readonly subfolderMatches: string;
    readonly pubsubTopicName: string;
  }[];
  readonly stateNotificationTopic: string;
  /** CA certificates (PEM), at most 10. */
  readonly credentials: readonly string[];
  readonly createdMs: number;
  readonly updatedMs: number;
}

export interface KeyRecord {
  /** Stable name of the key within its device: the first 16 hexadecimal digits of `fingerprint` unless given. */
  readonly keyId: string;
  /** Which of the chip's key pairs, where known. */
  readonly slot?: number;
  readonly state: KeyState;
  readonly format: PublicKeyFormat;
  /** As it was registered, PEM. */
  readonly pem: string;
  /** SHA-256 of the SubjectPublicKeyInfo, 64 hexadecimal digits: the same key always has the same fingerprint. */
  readonly fingerprint: string;
  /** The key verifies nothing from this instant on (v1 `expirationTime`, X.509 notAfter or the end of retiring). */
  readonly expiresAtSeconds?: number;
  readonly createdMs: number;
}

/** The last instruction a device was given, and what came of it. */
export interface InstructionRecord {
  /** Never given twice to one device. */
  readonly number: number;
  readonly scope: "use-key" | "offer-key";
  readonly slot?: number;
  readonly keyId?: string;
  readonly campaign?: string;
  readonly issuedAtSeconds: number;
  readonly expiresAtSeconds: number;
  /** Of an `offer-key` that waits for its offer: 20 bytes, hexadecimal. Gone once an offer came, good or not. */
  readonly challenge?: string;
  /** What the device said. */
  readonly outcome?: InstructionOutcome;
  readonly outcomeMs?: number;
  /** What was made of the offered key. */
  readonly offer?: KeyOfferVerdict;
}

export type KeyOfferVerdict =
  /** It is on record as pending. */
  | "taken"
  /** The registry's policy takes no offers, or none without a chip's attestation. */
  | "refused_by_policy"
  /** The current key may not vouch: it is not active. */
  | "key_not_active"
  /** Malformed, of another instruction, or a signature does not hold. */
  | "not_authentic"
  /** The chip's attestation does not hold, or no chip is on record. */
  | "not_attested"
  /** The key is no key, another device has it, or the device has as many as it may. */
  | "key_unusable";

/** The chip the factory registered for a device: who may attest its keys. */
export interface AttestationRecord {
  /** 18 lower-case hexadecimal digits. */
  readonly chipSerial: string;
  /** The slot of the attestation key, 0 to 15. */
  readonly slot: number;
  /** Its public key, P-256, PEM. */
  readonly pem: string;
}

export type GatewayType = "GATEWAY_TYPE_UNSPECIFIED" | "GATEWAY" | "NON_GATEWAY";
export type GatewayAuthMethod =
  | "GATEWAY_AUTH_METHOD_UNSPECIFIED"
  | "ASSOCIATION_ONLY"
  | "DEVICE_AUTH_TOKEN_ONLY"
  | "ASSOCIATION_AND_DEVICE_AUTH_TOKEN";

export interface DeviceConfigVersion {
  /** Starts at 1, grows by 1. */
  readonly version: number;
  readonly cloudUpdateMs: number;
  readonly deviceAckMs?: number;
  readonly binaryData: Uint8Array;
}

export interface DeviceStateVersion {
  readonly updateMs: number;
  readonly binaryData: Uint8Array;
}

/** When a device was last seen doing what; may lag by seconds, never costs a message its speed. */
export interface DeviceActivity {
  readonly heartbeatMs?: number;
  readonly eventMs?: number;
  readonly stateMs?: number;
  readonly configSendMs?: number;
  readonly configAckMs?: number;
  readonly errorMs?: number;
  readonly errorCode?: number;
  readonly errorMessage?: string;
  /** The gateway that spoke for the device last, its device id, and when. */
  readonly gatewayId?: string;
  readonly gatewayMs?: number;
  /** Key that verified last and when: the registry learns which key is in use. */
  readonly keyId?: string;
  readonly keyUsedMs?: number;
  /** Whether it is connected, as told last; a process that was killed leaves it as it was. */
  readonly presence?: Presence;
}

export interface DeviceRecord extends RegistryRef {
  readonly deviceId: string;
  readonly numId: string;
  readonly blocked: boolean;
  readonly logLevel: LogLevel;
  readonly metadata: Readonly<Record<string, string>>;
  readonly gatewayType: GatewayType;
  /** Of a gateway: what it must show to attach a device (cloud-iot-core.md §6). */
  readonly gatewayAuthMethod: GatewayAuthMethod;
  /** All keys on record, retired and revoked ones too. At most 3 that may verify. */
  readonly keys: readonly KeyRecord[];
  /** Tokens issued before this instant are refused. */
  readonly tokensNotBeforeSeconds?: number;
  readonly instruction?: InstructionRecord;
  readonly attestation?: AttestationRecord;
  readonly config: DeviceConfigVersion;
  readonly state?: DeviceStateVersion;
  readonly activity: DeviceActivity;
  readonly createdMs: number;
  readonly updatedMs: number;
}

/** What a CONNECT needs, and no more: one row. */
export interface AdmissionRecord {
  readonly registry: Pick<
    RegistryRecord,
    | "project"
    | "location"
    | "registry"
    | "numId"
    | "policy"
    | "mqttEnabled"
    | "httpEnabled"
    | "eventNotificationConfigs"
    | "stateNotificationTopic"
    | "logLevel"
  >;
  readonly device?: Pick<
    DeviceRecord,
    | "deviceId"
    | "numId"
    | "blocked"
    | "keys"
    | "tokensNotBeforeSeconds"
    | "gatewayType"
    | "gatewayAuthMethod"
    | "logLevel"
  >;
}

/** One line of the change log, written in the transaction that made the change, told after the commit. */
export interface RegistryChange {
  /** Grows by at least 1; commit order. */
  readonly sequence: number;
  readonly kind:
    | "registry_created"
    | "registry_updated"
    | "registry_deleted"
    | "device_created"
    | "device_updated"
    | "device_deleted"
    | "device_bound"
    | "device_unbound"
    | "config_updated";
  readonly registry: RegistryRef;
  readonly deviceId?: string;
  /** Of a binding: the gateway's device id. */
  readonly gatewayId?: string;
  readonly atMs: number;
}
