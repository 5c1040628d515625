/**
 * The registry in memory: for tests, the simulator and a first look. Keeps every promise of the port but one,
 * which is to survive the process.
 *
 * Nothing here waits for a real clock: with a scripted clock and random port, one seed gives one run.
 * Payload bytes are copied on the way in and never changed afterwards.
 */
import type { Clock, Random } from "@mayfly/core";
import {
  type AuthenticationRecord,
  type AuthenticationUpdate,
  recordClassOf,
  recordsKeptMax,
  recordTimeOf,
} from "../../auth/authentication-record.ts";
import { type AttachmentRecord, type BindingLimits, bindingLimits } from "../../registry/gateway-store.ts";
import type {
  AdmissionRecord,
  DeviceActivity,
  DeviceConfigVersion,
  DeviceRecord,
  DeviceRef,
  DeviceStateVersion,
  KeyRecord,
  RegistryChange,
  RegistryRecord,
  RegistryRef,
} from "../../registry/model.ts";
import type {
  CommandToQueue,
  KeptSession,
  QueueCommandOutcome,
  SessionToSave,
} from "../../registry/session-store.ts";
import {
  type ActivityUpdate,
  type AdminTokenRecord,
  type DeviceListFilter,
  type DevicePatch,
  type LookUp,
  type Page,
  type RegistryPatch,
  type RegistryStore,
  StoreError,
  type StoreStatus,
} from "../../registry/store.ts";
import { mergeActivity } from "../activity-queue.ts";
import { bindingNotFound, isBoundStill } from "../binding-rules.ts";
import { PAGE_SIZE_MAX, VERSIONS_KEPT_MAX } from "../bounds.ts";
import { assertRetiringKeysDated } from "../key-dates.ts";
import { drawNumIds, isNumId } from "../num-id.ts";
import { ChangeTeller } from "./change-teller.ts";
import { KeyOwnership } from "./key-ownership.ts";
import { MemoryBindings } from "./memory-bindings.ts";
import { MemorySessions } from "./memory-sessions.ts";

export interface MemoryRegistryStorePorts {
  readonly clock: Pick<Clock, "wallSeconds">;
  readonly random: Random;
  /** Absent: the contract's. */
  readonly bindingLimits?: BindingLimits;
}

interface StoredRegistry {
  record: RegistryRecord;
  readonly devices: Map<string, StoredDevice>;
  readonly byNumId: Map<string, StoredDevice>;
}

interface StoredDevice {
  facts: Omit<DeviceRecord, "config" | "state" | "activity">;
  activity: DeviceActivity;
  /** Newest last, like `states`. */
  configs: DeviceConfigVersion[];
  states: DeviceStateVersion[];
  /** By series, the one that began last at the end. */
  readonly authentications: Map<string, AuthenticationRecord>;
}

/** @returns A store that is empty, and forgotten when it is closed. */
export function createMemoryRegistryStore(ports: MemoryRegistryStorePorts): RegistryStore {
  return new MemoryRegistryStore(ports);
}

class MemoryRegistryStore implements RegistryStore {
  readonly #ports: MemoryRegistryStorePorts;
  readonly #registries = new Map<string, StoredRegistry>();
  readonly #keys = new Map<string, KeyOwnership>();
  readonly #numIdsIssued = new Set<string>();
  readonly #tokens = new Map<string, AdminTokenRecord>();
  readonly #changes = new ChangeTeller();
  readonly #sessions = new MemorySessions({
    findDevice: (ref) => this.#findDevice(ref)?.facts,
    nowMs: () => this.#nowMs(),
  });
  readonly #bindings: MemoryBindings;
  #sequence = 0;
  #isClosed = false;

  constructor(ports: MemoryRegistryStorePorts) {
    this.#ports = ports;
    this.#bindings = new MemoryBindings(ports.bindingLimits ?? bindingLimits);
  }

  async createRegistry(
    record: Omit<RegistryRecord, "numId" | "createdMs" | "updatedMs">,
  ): Promise<RegistryRecord> {
    this.#refuseIfClosed();
    const path = registryPath(record);
    if (this.#registries.has(path)) throw new StoreError("already_exists", `registry ${path} exists already`);
    const nowMs = this.#nowMs();
    const made: RegistryRecord = { ...record, numId: this.#issueNumId(), createdMs: nowMs, updatedMs: nowMs };
    this.#registries.set(path, { record: made, devices: new Map(), byNumId: new Map() });
    this.#tell("registry_created", record);
    return made;
  }

  async findRegistry(ref: RegistryRef): Promise<RegistryRecord | undefined> {
    this.#refuseIfClosed();
    return this.#registries.get(registryPath(ref))?.record;
  }

  async listRegistries(
    parent: { readonly project: string; readonly location?: string },
    page: { readonly size: number; readonly token?: string },
  ): Promise<Page<RegistryRecord>> {
    this.#refuseIfClosed();
    const all = [...this.#registries.values()]
      .map((stored) => stored.record)
      .filter((record) => record.project === parent.project)
      .filter((record) => parent.location === undefined || record.location === parent.location);
    return pageOf(all, (record) => `${record.location}/${record.registry}`, page);
  }

  async updateRegistry(ref: RegistryRef, patch: RegistryPatch): Promise<RegistryRecord> {
    this.#refuseIfClosed();
    const stored = this.#getRegistry(ref);
    stored.record = { ...stored.record, ...withoutUndefined(patch), updatedMs: this.#nowMs() };
    this.#tell("registry_updated", ref);
    return stored.record;
  }

  async deleteRegistry(ref: RegistryRef): Promise<void> {
    this.#refuseIfClosed();
    const stored = this.#getRegistry(ref);
    if (stored.devices.size > 0) {
      throw new StoreError(
        "not_empty",
        `registry ${registryPath(ref)} still has ${stored.devices.size} devices`,
      );
    }
    this.#registries.delete(registryPath(ref));
    this.#tell("registry_deleted", ref);
  }

  async createDevice(
    record: Omit<DeviceRecord, "numId" | "createdMs" | "updatedMs" | "config" | "state" | "activity"> & {
      readonly config?: Uint8Array;
    },
  ): Promise<DeviceRecord> {
    this.#refuseIfClosed();
    assertRetiringKeysDated(record.keys);
    const registry = this.#getRegistry(record);
    if (registry.devices.has(record.deviceId)) {
      throw new StoreError("already_exists", `device ${record.deviceId} exists already`);
    }
    const ownership = this.#ownership(record.project);
    ownership.check("", [], record.keys, registry.record.policy.duplicateKeys);
    const numId = this.#issueNumId();
    ownership.replace(numId, [], record.keys);
    const nowMs = this.#nowMs();
    const { config, ...facts } = record;
    const stored: StoredDevice = {
      facts: { ...facts, numId, createdMs: nowMs, updatedMs: nowMs },
      activity: {},
      configs: [{ version: 1, cloudUpdateMs: nowMs, binaryData: (config ?? new Uint8Array()).slice() }],
      states: [],
      authentications: new Map(),
    };
    registry.devices.set(record.deviceId, stored);
    registry.byNumId.set(numId, stored);
    this.#tell("device_created", record, record.deviceId);
    return recordOf(stored);
  }

  async findDevice(ref: DeviceRef): Promise<DeviceRecord | undefined> {
    this.#refuseIfClosed();
    const stored = this.#findDevice(ref);
    return stored === undefined ? undefined : recordOf(stored);
  }

  async listDevices(
    ref: RegistryRef,
    page: { readonly size: number; readonly token?: string },
    filter?: DeviceListFilter,
  ): Promise<Page<DeviceRecord>> {
    this.#refuseIfClosed();
    const registry = this.#getRegistry(ref);
    const numIdOf = (device: string | undefined) =>
      device === undefined ? undefined : this.#getDevice({ ...ref, device }).facts.numId;
    const gateway = numIdOf(filter?.boundToGateway);
    const bound = numIdOf(filter?.gatewaysOfDevice);
    const ids = filter?.ids === undefined ? undefined : new Set(filter.ids);
    const matching = [...registry.devices.values()].filter(({ facts }) => {
      if (ids !== undefined && !ids.has(facts.deviceId) && !ids.has(facts.numId)) return false;
      if (gateway !== undefined && !this.#bindings.has(gateway, facts.numId)) return false;
      if (bound !== undefined && !this.#bindings.has(facts.numId, bound)) return false;
      if (filter?.gatewayType === undefined) return true;
      return (facts.gatewayType === "GATEWAY") === (filter.gatewayType === "GATEWAY");
    });
    const found = pageOf(matching, (stored) => stored.facts.deviceId, page);
    return { ...found, items: found.items.map(recordOf) };
  }

  async updateDevice(ref: DeviceRef, patch: DevicePatch): Promise<DeviceRecord> {
    this.#refuseIfClosed();
    assertRetiringKeysDated(patch.keys ?? []);
    const registry = this.#getRegistry(ref);
    const stored = this.#getDevice(ref);
    if (patch.keys !== undefined) this.#replaceKeys(registry, stored, patch.keys);
    const { tokensNotBeforeSeconds, attestation, ...fields } = withoutUndefined(patch);
    const { tokensNotBeforeSeconds: notBefore, attestation: attestedBy, ...rest } = stored.facts;
    const attestedNow = attestation === undefined ? attestedBy : (attestation ?? undefined);
    const notBeforeNow = tokensNotBeforeSeconds === undefined ? notBefore : tokensNotBeforeSeconds;
    stored.facts = {
      ...rest,
      ...fields,
      ...(typeof notBeforeNow === "number" ? { tokensNotBeforeSeconds: notBeforeNow } : {}),
      ...(attestedNow === undefined ? {} : { attestation: attestedNow }),
      updatedMs: this.#nowMs(),
    };
    this.#sessions.keysReplaced(stored.facts.numId, stored.facts.keys);
    this.#tell("device_updated", ref, stored.facts.deviceId);
    return recordOf(stored);
  }

  async deleteDevice(ref: DeviceRef): Promise<void> {
    this.#refuseIfClosed();
    const registry = this.#getRegistry(ref);
    const stored = this.#getDevice(ref);
    if (this.#bindings.isBound(stored.facts.numId)) throw isBoundStill(stored.facts.deviceId);
    this.#ownership(ref.project).replace(stored.facts.numId, stored.facts.keys, []);
    registry.devices.delete(stored.facts.deviceId);
    registry.byNumId.delete(stored.facts.numId);
    this.#sessions.keysReplaced(stored.facts.numId, []);
    this.#tell("device_deleted", ref, stored.facts.deviceId);
  }

  async bindDevice(ref: RegistryRef, gateway: string, device: string): Promise<void> {
    this.#refuseIfClosed();
    const { facts: boundTo } = this.#getDevice({ ...ref, device: gateway });
    const { facts: bound } = this.#getDevice({ ...ref, device });
    if (!this.#bindings.bind(boundTo, bound)) return;
    this.#tell("device_bound", ref, bound.deviceId, boundTo.deviceId);
  }

  async unbindDevice(ref: RegistryRef, gateway: string, device: string): Promise<void> {
    this.#refuseIfClosed();
    const { facts: boundTo } = this.#getDevice({ ...ref, device: gateway });
    const { facts: bound } = this.#getDevice({ ...ref, device });
    if (!this.#bindings.unbind(boundTo.numId, bound.numId)) throw bindingNotFound(gateway, device);
    this.#tell("device_unbound", ref, bound.deviceId, boundTo.deviceId);
  }

  lookUpAttachment(
    device: DeviceRef,
    gateway: string,
    answer: (record: LookUp<AttachmentRecord>) => void,
  ): void {
    this.lookUpAdmission(device, (record) => {
      if (typeof record !== "object") return answer(record);
      const boundTo = this.#findDevice({ ...device, device: gateway })?.facts.numId ?? "";
      const isBound = record.device !== undefined && this.#bindings.has(boundTo, record.device.numId);
      answer({ ...record, isBound });
    });
  }

  async modifyConfig(
    ref: DeviceRef,
    binaryData: Uint8Array,
    versionToUpdate: number,
  ): Promise<DeviceConfigVersion> {
    this.#refuseIfClosed();
    const stored = this.#getDevice(ref);
    const { version } = latestConfig(stored);
    if (versionToUpdate !== 0 && versionToUpdate !== version) {
      throw new StoreError("version_mismatch", `the config is at version ${version}, not ${versionToUpdate}`);
    }
    const made = { version: version + 1, cloudUpdateMs: this.#nowMs(), binaryData: binaryData.slice() };
    stored.configs = [...stored.configs, made].slice(-VERSIONS_KEPT_MAX);
    this.#tell("config_updated", ref, stored.facts.deviceId);
    return made;
  }

  async listConfigVersions(ref: DeviceRef, newest: number): Promise<readonly DeviceConfigVersion[]> {
    this.#refuseIfClosed();
    return this.#getDevice(ref).configs.toReversed().slice(0, newest);
  }

  async acknowledgeConfig(ref: DeviceRef, version: number, atMs: number): Promise<void> {
    this.#refuseIfClosed();
    const stored = this.#findDevice(ref);
    if (stored === undefined) return;
    stored.configs = stored.configs.map((one) =>
      one.version === version && one.deviceAckMs === undefined ? { ...one, deviceAckMs: atMs } : one,
    );
  }

  async appendState(ref: DeviceRef, state: DeviceStateVersion): Promise<void> {
    this.#refuseIfClosed();
    const stored = this.#getDevice(ref);
    const kept = { updateMs: state.updateMs, binaryData: state.binaryData.slice() };
    stored.states = [...stored.states, kept].slice(-VERSIONS_KEPT_MAX);
  }

  async listStates(ref: DeviceRef, newest: number): Promise<readonly DeviceStateVersion[]> {
    this.#refuseIfClosed();
    return this.#getDevice(ref).states.toReversed().slice(0, newest);
  }

  lookUpAdmission(ref: DeviceRef, answer: (record: LookUp<AdmissionRecord>) => void): void {
    if (this.#isClosed) {
      answer("unavailable");
      return;
    }
    const registry = this.#registries.get(registryPath(ref));
    if (registry === undefined) {
      answer(undefined);
      return;
    }
    const stored = this.#findDevice(ref);
    answer(
      stored === undefined
        ? { registry: registry.record }
        : { registry: registry.record, device: stored.facts },
    );
  }

  lookUpConfig(ref: DeviceRef, answer: (config: LookUp<DeviceConfigVersion>) => void): void {
    if (this.#isClosed) {
      answer("unavailable");
      return;
    }
    const stored = this.#findDevice(ref);
    answer(stored === undefined ? undefined : latestConfig(stored));
  }

  lookUpSession(ref: DeviceRef, answer: (session: LookUp<KeptSession>) => void): void {
    answer(this.#isClosed ? "unavailable" : this.#sessions.find(ref));
  }

  async saveSession(ref: DeviceRef, session: SessionToSave): Promise<void> {
    this.#refuseIfClosed();
    this.#sessions.save(ref, session);
  }

  async leaveSession(ref: DeviceRef, owner: string, expirySeconds: number): Promise<void> {
    this.#refuseIfClosed();
    this.#sessions.leave(ref, owner, expirySeconds);
  }

  async endSession(ref: DeviceRef, owner?: string): Promise<void> {
    this.#refuseIfClosed();
    this.#sessions.end(ref, owner);
  }

  async queueCommand(ref: DeviceRef, command: CommandToQueue): Promise<QueueCommandOutcome> {
    this.#refuseIfClosed();
    return this.#sessions.queue(ref, command);
  }

  async removeCommand(ref: DeviceRef, packetIdentifier: number): Promise<void> {
    this.#refuseIfClosed();
    this.#sessions.remove(ref, packetIdentifier);
  }

  /** Written at once: in memory there is nothing to gain by waiting. */
  recordActivity(update: ActivityUpdate): void {
    const stored = this.#findDevice(update.device);
    if (stored !== undefined) stored.activity = mergeActivity(stored.activity, update.activity);
  }

  recordAuthentication({ device, series, record }: AuthenticationUpdate): void {
    const records = this.#findDevice(device)?.authentications;
    if (records === undefined) return;
    records.set(series, record);
    const kind = recordClassOf(record);
    const alike = [...records].filter(([, one]) => recordClassOf(one) === kind);
    for (const [oldest] of alike.slice(0, -recordsKeptMax[kind])) records.delete(oldest);
  }

  async listAuthentications(ref: DeviceRef, newest: number): Promise<readonly AuthenticationRecord[]> {
    this.#refuseIfClosed();
    const records = [...this.#getDevice(ref).authentications.values()].toReversed();
    return records.sort((a, b) => recordTimeOf(b) - recordTimeOf(a)).slice(0, newest);
  }

  async addAdminToken(record: AdminTokenRecord): Promise<void> {
    this.#refuseIfClosed();
    if (this.#tokens.has(record.hash))
      throw new StoreError("already_exists", "this admin token exists already");
    this.#tokens.set(record.hash, record);
  }

  async findAdminToken(hash: string): Promise<AdminTokenRecord | undefined> {
    this.#refuseIfClosed();
    return this.#tokens.get(hash);
  }

  async listAdminTokens(): Promise<readonly AdminTokenRecord[]> {
    this.#refuseIfClosed();
    return [...this.#tokens.values()].sort((a, b) => a.createdMs - b.createdMs || order(a.hash, b.hash));
  }

  async removeAdminToken(hash: string): Promise<boolean> {
    this.#refuseIfClosed();
    return this.#tokens.delete(hash);
  }

  onChange(listener: (change: RegistryChange) => void): () => void {
    return this.#changes.listen(listener);
  }

  status(): StoreStatus {
    const sizes = { queuedWrites: 0, recordsDropped: 0 };
    return this.#isClosed
      ? { healthy: false, because: "the registry store is closed", ...sizes }
      : { healthy: true, ...sizes };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  #replaceKeys(registry: StoredRegistry, stored: StoredDevice, keys: readonly KeyRecord[]): void {
    const { numId, keys: before, project } = stored.facts;
    const ownership = this.#ownership(project);
    ownership.check(numId, before, keys, registry.record.policy.duplicateKeys);
    ownership.replace(numId, before, keys);
  }

  #ownership(project: string): KeyOwnership {
    const ownership = this.#keys.get(project) ?? new KeyOwnership();
    this.#keys.set(project, ownership);
    return ownership;
  }

  #getRegistry(ref: RegistryRef): StoredRegistry {
    const stored = this.#registries.get(registryPath(ref));
    if (stored === undefined) throw new StoreError("not_found", `there is no registry ${registryPath(ref)}`);
    return stored;
  }

  #findDevice(ref: DeviceRef): StoredDevice | undefined {
    const registry = this.#registries.get(registryPath(ref));
    return isNumId(ref.device) ? registry?.byNumId.get(ref.device) : registry?.devices.get(ref.device);
  }

  #getDevice(ref: DeviceRef): StoredDevice {
    const stored = this.#findDevice(ref);
    if (stored === undefined) {
      throw new StoreError("not_found", `there is no device ${ref.device} in ${registryPath(ref)}`);
    }
    return stored;
  }

  #issueNumId(): string {
    const numId = drawNumIds(this.#ports.random).find((drawn) => !this.#numIdsIssued.has(drawn));
    if (numId === undefined)
      throw new StoreError("store_failed", "the random source repeats itself: no fresh numId");
    this.#numIdsIssued.add(numId);
    return numId;
  }

  #tell(kind: RegistryChange["kind"], ref: RegistryRef, deviceId?: string, gatewayId?: string): void {
    this.#sequence += 1;
    const registry = { project: ref.project, location: ref.location, registry: ref.registry };
    const change = { sequence: this.#sequence, kind, registry, atMs: this.#nowMs() };
    this.#changes.tell({
      ...change,
      ...(deviceId === undefined ? {} : { deviceId }),
      ...(gatewayId === undefined ? {} : { gatewayId }),
    });
  }

  #nowMs(): number {
    return Math.round(this.#ports.clock.wallSeconds() * 1000);
  }

  #refuseIfClosed(): void {
    if (this.#isClosed) throw new StoreError("closed", "the registry store is closed");
  }
}

function recordOf(stored: StoredDevice): DeviceRecord {
  const state = stored.states.at(-1);
  const record = { ...stored.facts, config: latestConfig(stored), activity: stored.activity };
  return state === undefined ? record : { ...record, state };
}

function latestConfig(stored: StoredDevice): DeviceConfigVersion {
  const config = stored.configs.at(-1);
  if (config === undefined) throw new StoreError("store_failed", "a device without a config cannot be");
  return config;
}

/** One page by keyset: the token is the last key of the page before. */
function pageOf<T>(
  all: readonly T[],
  keyOf: (item: T) => string,
  page: { readonly size: number; readonly token?: string },
): Page<T> {
  const size = Math.max(1, Math.min(page.size, PAGE_SIZE_MAX));
  const after = page.token;
  const rest = all
    .filter((item) => after === undefined || order(keyOf(item), after) > 0)
    .sort((a, b) => order(keyOf(a), keyOf(b)));
  const items = rest.slice(0, size);
  const last = items.at(-1);
  return last === undefined || rest.length <= size ? { items } : { items, nextPageToken: keyOf(last) };
}

function order(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** A field given as undefined is a field not given. */
function withoutUndefined<T extends object>(patch: T): T {
  return Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined)) as T;
}

function registryPath(ref: RegistryRef): string {
  return `projects/${ref.project}/locations/${ref.location}/registries/${ref.registry}`;
}
