/**
 * Devices: created, read, changed and deleted; their keys, configs and states.
 *
 * A change of keys is read, decided (`key-set.ts`) and written in one turn per device, so two operators at once
 * cannot lose each other's key. What the store alone can know (a taken key, a config's version) it refuses itself.
 *
 * Left to others: cutting live sessions (the bridge listens to the store's changes), sending commands (the bridge).
 */
import type { Clock } from "@mayfly/core";
import {
  formatDeviceName,
  formatRegistryName,
  isDeviceNumId,
  parseDeviceId,
  parseRegistryId,
} from "@mayfly/core";
import { type AuthenticationRecord, recordsListedMax } from "../auth/authentication-record.ts";
import { RegistryError } from "./error.ts";
import { KeyParseError, type KeyParser } from "./key-parser.ts";
import {
  addKey,
  changeKey,
  isVerifyingState,
  type KeyChange,
  type KeyInput,
  replaceVerifyingKeys,
} from "./key-set.ts";
import { checkMetadata } from "./metadata.ts";
import type {
  AttestationRecord,
  DeviceConfigVersion,
  DeviceRecord,
  DeviceRef,
  DeviceStateVersion,
  KeyRecord,
  PublicKeyFormat,
  RegistryRecord,
  RegistryRef,
} from "./model.ts";
import type { Places } from "./places.ts";
import type { DeviceListFilter, Page, RegistryStore } from "./store.ts";
import { createTurns } from "./turns.ts";

export const CONFIG_BYTES_MAX = 64 * 1024;
export const COMMAND_BYTES_MAX = 256 * 1024;
/** Configs and states kept, and so the most a list can answer. */
export const VERSIONS_MAX = 10;
export const DEVICE_PAGE_SIZE_MAX = 500;
/** As many ids as one list call may ask for. */
export const DEVICE_IDS_MAX = 10_000;

/** A public key as somebody sent it, not read yet. */
export interface CredentialInput {
  readonly format: PublicKeyFormat;
  readonly pem: string;
  /** Absent: never (a certificate's notAfter holds all the same). */
  readonly expiresAtSeconds?: number;
}

export interface DeviceKeyInput extends CredentialInput {
  readonly keyId?: string;
  readonly slot?: number;
  readonly state?: "pending" | "active";
}

export interface DeviceInput
  extends Pick<DeviceRecord, "blocked" | "logLevel" | "metadata" | "gatewayType" | "gatewayAuthMethod"> {
  readonly deviceId: string;
  readonly credentials: readonly CredentialInput[];
  readonly config?: Uint8Array;
}

/** Fields to set; an absent one is left as it is. `credentials` becomes all that verifies. */
export type DeviceChange = Partial<
  Pick<DeviceInput, "blocked" | "logLevel" | "metadata" | "gatewayAuthMethod" | "credentials">
> & {
  /** `null` clears. */
  readonly tokensNotBeforeSeconds?: number | null;
  readonly attestation?: AttestationRecord | null;
};

/** Every method also throws RegistryError not_found (project, location, registry, device), IdError and StoreError. */
export interface Devices {
  /** @throws {RegistryError} argument_invalid, credential_not_vouched. @throws {KeyParseError} @throws {StoreError} already_exists, key_taken */
  create(registry: RegistryRef, input: DeviceInput): Promise<DeviceRecord>;
  get(ref: DeviceRef): Promise<DeviceRecord>;
  list(
    registry: RegistryRef,
    page: { readonly size: number; readonly token?: string },
    filter?: DeviceListFilter,
  ): Promise<Page<DeviceRecord>>;
  /** Throws what `create` throws, and precondition_failed for a revoked key. */
  update(ref: DeviceRef, change: DeviceChange): Promise<DeviceRecord>;
  /** @throws {StoreError} bound */
  delete(ref: DeviceRef): Promise<void>;
  /** Lets the gateway speak for the device. Both by string id or numId. @throws {StoreError} not_gateway, is_gateway, too_many_bound */
  bind(registry: RegistryRef, gateway: string, device: string): Promise<void>;
  /** @throws {StoreError} not_found, a binding that is not there too */
  unbind(registry: RegistryRef, gateway: string, device: string): Promise<void>;
  /** Reads the device, and has `change` decide and write, in the device's turn: nothing that changes keys comes between. */
  inTurn<T>(ref: DeviceRef, change: (device: DeviceRecord) => Promise<T>): Promise<T>;
  addKey(ref: DeviceRef, input: DeviceKeyInput): Promise<KeyRecord>;
  changeKey(ref: DeviceRef, keyId: string, change: KeyChange): Promise<KeyRecord>;
  /** @param versionToUpdate 0: whatever the current one is. @throws {StoreError} version_mismatch */
  modifyConfig(ref: DeviceRef, binaryData: Uint8Array, versionToUpdate: number): Promise<DeviceConfigVersion>;
  /** Newest first. @param newest 0: all that are kept. */
  listConfigVersions(ref: DeviceRef, newest: number): Promise<readonly DeviceConfigVersion[]>;
  listStates(ref: DeviceRef, newest: number): Promise<readonly DeviceStateVersion[]>;
  /** Everything that is kept, newest first: at most `recordsListedMax`. */
  listAuthentications(ref: DeviceRef): Promise<readonly AuthenticationRecord[]>;
}

export function createDevices(ports: {
  readonly store: RegistryStore;
  readonly places: Places;
  readonly keyParser: KeyParser;
  readonly clock: Clock;
}): Devices {
  const { store, places, clock, keyParser } = ports;
  const turns = createTurns();

  function openRegistry(ref: RegistryRef): void {
    places.checkLocation(ref.project, ref.location);
    parseRegistryId(ref.registry);
  }

  function open(ref: DeviceRef): void {
    openRegistry(ref);
    if (!isDeviceNumId(ref.device)) parseDeviceId(ref.device);
  }

  async function getRegistry(ref: RegistryRef): Promise<RegistryRecord> {
    const registry = await store.findRegistry(ref);
    if (registry === undefined) {
      throw new RegistryError("not_found", `Registry '${formatRegistryName(ref)}' not found.`);
    }
    return registry;
  }

  async function get(ref: DeviceRef): Promise<DeviceRecord> {
    open(ref);
    const device = await store.findDevice(ref);
    if (device !== undefined) return device;
    await getRegistry(ref);
    throw new RegistryError("not_found", `Device '${formatDeviceName(ref)}' not found.`);
  }

  /** Reads a key, and holds one that is new to the device against the registry's certificates. */
  function readKey(
    registry: RegistryRecord,
    input: DeviceKeyInput,
    position: number,
    onRecord: readonly KeyRecord[],
  ): KeyInput {
    const parsed = keyParser.parseKey(input.format, input.pem);
    const isVerifying = onRecord.some(
      (key) => key.fingerprint === parsed.fingerprint && isVerifyingState(key.state),
    );
    if (!isVerifying) checkVouched(keyParser, registry, input, position, clock.wallSeconds());
    const limits = [input.expiresAtSeconds, parsed.notAfterSeconds].filter((limit) => limit !== undefined);
    const { expiresAtSeconds: _asked, ...rest } = input;
    return {
      ...rest,
      fingerprint: parsed.fingerprint,
      ...(limits.length === 0 ? {} : { expiresAtSeconds: Math.min(...limits) }),
    };
  }

  function readCredentials(
    registry: RegistryRecord,
    inputs: readonly CredentialInput[],
    onRecord: readonly KeyRecord[],
  ): readonly KeyInput[] {
    return inputs.map((input, position) => {
      try {
        return readKey(registry, input, position, onRecord);
      } catch (error) {
        if (!(error instanceof KeyParseError)) throw error;
        const place = `The key data for the device credential in position ${position} is invalid.`;
        throw new KeyParseError(error.code, `${place} Make sure the format is correct: ${error.message}`);
      }
    });
  }

  function nowMs(): number {
    return Math.floor(clock.wallSeconds() * 1000);
  }

  /** One turn per device whatever name the caller used: the numId names it once it has been found. */
  async function changeInTurn<T>(ref: DeviceRef, change: (device: DeviceRecord) => Promise<T>): Promise<T> {
    const { numId } = await get(ref);
    return turns.take(numId, async () => change(await get(ref)));
  }

  return {
    async create(ref, input) {
      openRegistry(ref);
      parseDeviceId(input.deviceId);
      checkMetadata(input.metadata);
      if (input.config !== undefined) checkConfigSize(input.config);
      const registry = await getRegistry(ref);
      const keys = replaceVerifyingKeys([], readCredentials(registry, input.credentials, []), nowMs());
      return store.createDevice({
        project: ref.project,
        location: ref.location,
        registry: ref.registry,
        deviceId: input.deviceId,
        blocked: input.blocked,
        logLevel: input.logLevel,
        metadata: input.metadata,
        gatewayType: input.gatewayType,
        gatewayAuthMethod: input.gatewayAuthMethod,
        keys,
        ...(input.config === undefined ? {} : { config: input.config }),
      });
    },
    get,
    async list(ref, page, filter) {
      openRegistry(ref);
      return store.listDevices(ref, page, filter);
    },
    async update(ref, change) {
      if (change.metadata !== undefined) checkMetadata(change.metadata);
      const { credentials, ...patch } = change;
      if (credentials === undefined) {
        open(ref);
        return store.updateDevice(ref, patch);
      }
      return changeInTurn(ref, async (device) => {
        const wanted = readCredentials(await getRegistry(ref), credentials, device.keys);
        return store.updateDevice(ref, {
          ...patch,
          keys: replaceVerifyingKeys(device.keys, wanted, nowMs()),
        });
      });
    },
    async delete(ref) {
      open(ref);
      await store.deleteDevice(ref);
    },
    async bind(ref, gateway, device) {
      for (const each of [gateway, device]) await get({ ...ref, device: each });
      await store.bindDevice(ref, gateway, device);
    },
    async unbind(ref, gateway, device) {
      for (const each of [gateway, device]) await get({ ...ref, device: each });
      await store.unbindDevice(ref, gateway, device);
    },
    inTurn: changeInTurn,
    addKey: (ref, input) =>
      changeInTurn(ref, async (device) => {
        const key = readKey(await getRegistry(ref), input, 0, device.keys);
        const { keys, added } = addKey(device.keys, key, nowMs());
        await store.updateDevice(ref, { keys });
        return added;
      }),
    changeKey: (ref, keyId, change) =>
      changeInTurn(ref, async (device) => {
        const { keys, changed } = changeKey(
          device.keys,
          keyId,
          boundByCertificate(keyParser, device, keyId, change),
        );
        await store.updateDevice(ref, { keys });
        return changed;
      }),
    async modifyConfig(ref, binaryData, versionToUpdate) {
      open(ref);
      checkConfigSize(binaryData);
      return store.modifyConfig(ref, binaryData, versionToUpdate);
    },
    async listConfigVersions(ref, newest) {
      await get(ref);
      return store.listConfigVersions(ref, boundedCount(newest));
    },
    async listStates(ref, newest) {
      await get(ref);
      return store.listStates(ref, boundedCount(newest));
    },
    async listAuthentications(ref) {
      await get(ref);
      return store.listAuthentications(ref, recordsListedMax);
    },
  };
}

/** Cloud IoT Core's rule: once a registry has certificates, a new device credential must be signed by one of them. */
function checkVouched(
  keyParser: KeyParser,
  registry: RegistryRecord,
  input: CredentialInput,
  position: number,
  nowSeconds: number,
): void {
  if (registry.credentials.length === 0) return;
  if (input.format !== "ES256_X509_PEM" && input.format !== "RSA_X509_PEM") {
    throw new RegistryError(
      "argument_invalid",
      `The device credential in position ${position} must be an X.509 certificate.`,
    );
  }
  for (const authority of registry.credentials) {
    const { notBeforeSeconds, notAfterSeconds } = keyParser.parseCertificate(authority);
    const isValidNow = notBeforeSeconds <= nowSeconds && nowSeconds < notAfterSeconds;
    if (isValidNow && keyParser.isIssuedBy(input.pem, authority)) return;
  }
  throw new RegistryError(
    "credential_not_vouched",
    `The signature of device credential in position ${position} could not be verified against any registry certificate`,
  );
}

/** A key's date may be moved or cleared, but never past the notAfter of the certificate it came in. */
function boundByCertificate(
  keyParser: KeyParser,
  device: DeviceRecord,
  keyId: string,
  change: KeyChange,
): KeyChange {
  const key = device.keys.find((one) => one.keyId === keyId);
  const leavesOverlap =
    key?.state === "retiring" && change.state === "active" && change.expiresAtSeconds === undefined;
  const asked = leavesOverlap ? null : change.expiresAtSeconds;
  if (key === undefined || asked === undefined) return change;
  const { notAfterSeconds } = keyParser.parseKey(key.format, key.pem);
  if (notAfterSeconds === undefined) return { ...change, expiresAtSeconds: asked };
  return { ...change, expiresAtSeconds: Math.min(asked ?? notAfterSeconds, notAfterSeconds) };
}

function checkConfigSize(binaryData: Uint8Array): void {
  if (binaryData.length > CONFIG_BYTES_MAX) {
    throw new RegistryError(
      "argument_invalid",
      `A device config has at most ${CONFIG_BYTES_MAX} bytes, not ${binaryData.length}.`,
    );
  }
}

function boundedCount(newest: number): number {
  return newest === 0 ? VERSIONS_MAX : Math.min(newest, VERSIONS_MAX);
}
