/**
 * The registry's store, as the domain needs it. Adapters: `store/memory`, `store/sqlite`; one contract suite.
 *
 * Writes are plain values, never functions: an adapter carries them to a writer thread and answers when the
 * transaction, its change-log row included, is durable. The event loop never commits. Only the admission
 * look-up is on the path of a CONNECT; it answers at once where the adapter can.
 */
import type { AuthenticationRecord, AuthenticationUpdate } from "../auth/authentication-record.ts";
import type { GatewayStore } from "./gateway-store.ts";
import type {
  AdmissionRecord,
  AttestationRecord,
  DeviceActivity,
  DeviceConfigVersion,
  DeviceRecord,
  DeviceRef,
  DeviceStateVersion,
  RegistryChange,
  RegistryRecord,
  RegistryRef,
} from "./model.ts";
import type { SessionStore } from "./session-store.ts";

export type StoreErrorCode =
  | "already_exists"
  | "not_found"
  | "not_empty"
  /** A binding needs a gateway, and a device that is none. */
  | "not_gateway"
  | "is_gateway"
  | "too_many_bound"
  /** Bound to a gateway, or a gateway that devices are bound to: to be unbound first. */
  | "bound"
  | "version_mismatch"
  | "key_taken"
  | "schema_too_new"
  | "locked"
  | "disk_full"
  | "closed"
  | "store_failed";

/** The store refused or failed. `code` is stable and public; nothing was changed. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;
  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Ask again with this to go on; absent at the end. Opaque. */
  readonly nextPageToken?: string;
}

/** Fields to set; an absent one is left as it is. */
export type RegistryPatch = Partial<
  Pick<
    RegistryRecord,
    | "policy"
    | "retention"
    | "mqttEnabled"
    | "httpEnabled"
    | "logLevel"
    | "eventNotificationConfigs"
    | "stateNotificationTopic"
    | "credentials"
  >
>;
export type DevicePatch = Partial<
  Pick<DeviceRecord, "blocked" | "logLevel" | "metadata" | "gatewayAuthMethod" | "keys" | "instruction">
> & {
  /** `null` clears, here and below. */
  readonly tokensNotBeforeSeconds?: number | null;
  readonly attestation?: AttestationRecord | null;
};

/** Which devices a list holds: all of these narrow it. */
export interface DeviceListFilter {
  /** String ids or numIds, of which those count that exist. */
  readonly ids?: readonly string[];
  readonly gatewayType?: "GATEWAY" | "NON_GATEWAY";
  /** The devices bound to this one, by string id or numId. */
  readonly boundToGateway?: string;
  /** The gateways this one is bound to, by string id or numId. */
  readonly gatewaysOfDevice?: string;
}

/** An admin token as kept: never the token itself. */
export interface AdminTokenRecord {
  /** SHA-256 of the token, hexadecimal. */
  readonly hash: string;
  readonly name: string;
  readonly loopbackOnly: boolean;
  readonly createdMs: number;
  readonly expiresMs?: number;
}

/**
 * What a look-up on the path of a device found: `undefined` where there is nothing, `"unavailable"` where the
 * store could not look (the disk, or closed). That is our trouble, and no verdict on anybody.
 */
export type LookUp<T> = T | "unavailable" | undefined;

export interface ActivityUpdate {
  /** By string id. */
  readonly device: DeviceRef;
  readonly activity: DeviceActivity;
}

/** Healthy, or why not, in a sentence. */
export interface StoreStatus {
  readonly healthy: boolean;
  readonly because?: string;
  /** Writes that wait. */
  readonly queuedWrites: number;
  /** Authentication records dropped because too many waited, since the start. */
  readonly recordsDropped: number;
}

export interface RegistryStore extends SessionStore, GatewayStore {
  /** @throws {StoreError} already_exists. The store makes numId; the record given carries none. */
  createRegistry(record: Omit<RegistryRecord, "numId" | "createdMs" | "updatedMs">): Promise<RegistryRecord>;
  findRegistry(ref: RegistryRef): Promise<RegistryRecord | undefined>;
  listRegistries(
    parent: { readonly project: string; readonly location?: string },
    page: { readonly size: number; readonly token?: string },
  ): Promise<Page<RegistryRecord>>;
  /** @throws {StoreError} not_found */
  updateRegistry(ref: RegistryRef, patch: RegistryPatch): Promise<RegistryRecord>;
  /** @throws {StoreError} not_found; not_empty while it has devices. */
  deleteRegistry(ref: RegistryRef): Promise<void>;

  /** A retiring key without a date is a bug, and refused as one, here and in `updateDevice`. Config version 1 is made from `config` (default empty). @throws {StoreError} already_exists, not_found (registry), key_taken (policy duplicateKeys "refuse", or the key is revoked anywhere in the project) */
  createDevice(
    record: Omit<DeviceRecord, "numId" | "createdMs" | "updatedMs" | "config" | "state" | "activity"> & {
      readonly config?: Uint8Array;
    },
  ): Promise<DeviceRecord>;
  findDevice(ref: DeviceRef): Promise<DeviceRecord | undefined>;
  /** Ordered by device id. @throws {StoreError} not_found (registry, or the device whose bindings are meant) */
  listDevices(
    registry: RegistryRef,
    page: { readonly size: number; readonly token?: string },
    filter?: DeviceListFilter,
  ): Promise<Page<DeviceRecord>>;
  /** @throws {StoreError} not_found, key_taken */
  updateDevice(ref: DeviceRef, patch: DevicePatch): Promise<DeviceRecord>;
  /** @throws {StoreError} not_found; bound */
  deleteDevice(ref: DeviceRef): Promise<void>;

  /** @param versionToUpdate 0 = unconditional, else must equal the current version. Ten newest are kept. @throws {StoreError} not_found, version_mismatch */
  modifyConfig(ref: DeviceRef, binaryData: Uint8Array, versionToUpdate: number): Promise<DeviceConfigVersion>;
  listConfigVersions(ref: DeviceRef, newest: number): Promise<readonly DeviceConfigVersion[]>;
  /** The device acknowledged (PUBACK) this version. Unknown versions are ignored. */
  acknowledgeConfig(ref: DeviceRef, version: number, atMs: number): Promise<void>;
  /** Resolves when durable: the device's PUBACK waits for it. Ten newest are kept. @throws {StoreError} not_found */
  appendState(ref: DeviceRef, state: DeviceStateVersion): Promise<void>;
  listStates(ref: DeviceRef, newest: number): Promise<readonly DeviceStateVersion[]>;

  /** The CONNECT path: one prepared read. Unknown registry: undefined; unknown device: no `device`. May answer synchronously. */
  lookUpAdmission(ref: DeviceRef, answer: (record: LookUp<AdmissionRecord>) => void): void;
  /** Latest config of a device, for its subscription. May answer synchronously. */
  lookUpConfig(ref: DeviceRef, answer: (config: LookUp<DeviceConfigVersion>) => void): void;

  /** Last-seen facts: queued, coalesced per device, written within 5 s; newest wins; the queue is bounded and drops oldest. */
  recordActivity(update: ActivityUpdate): void;

  /**
   * An authentication record: queued, written within 5 s, replacing an earlier one of the same series. Kept are
   * the newest of each class (`recordsKeptMax`), for devices that exist; the queue is bounded and drops oldest,
   * what nobody proved apart from what a key proved.
   */
  recordAuthentication(update: AuthenticationUpdate): void;
  /** Newest first, all classes together. @throws {StoreError} not_found */
  listAuthentications(ref: DeviceRef, newest: number): Promise<readonly AuthenticationRecord[]>;

  addAdminToken(record: AdminTokenRecord): Promise<void>;
  findAdminToken(hash: string): Promise<AdminTokenRecord | undefined>;
  listAdminTokens(): Promise<readonly AdminTokenRecord[]>;
  /** @returns whether there was one. */
  removeAdminToken(hash: string): Promise<boolean>;

  /** Told once per committed change, in sequence order, within 250 ms; changes committed by another process on the same file count too. @returns stop. */
  onChange(listener: (change: RegistryChange) => void): () => void;
  status(): StoreStatus;
  /** Finishes queued writes, then closes. */
  close(): Promise<void>;
}
