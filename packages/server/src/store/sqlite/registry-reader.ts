/**
 * Reads of the registry file on the caller's own thread: a read-only connection and prepared statements.
 *
 * The CONNECT path is one row: the registry's record comes from a cache that the change feed keeps true, the
 * device's keys stand in the device's own row. A write-ahead log lets these reads go on beside any commit.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { AuthenticationRecord } from "../../auth/authentication-record.ts";
import type { AttachmentRecord } from "../../registry/gateway-store.ts";
import type {
  AdmissionRecord,
  DeviceConfigVersion,
  DeviceRecord,
  DeviceRef,
  DeviceStateVersion,
  RegistryChange,
  RegistryRecord,
  RegistryRef,
} from "../../registry/model.ts";
import type { KeptSession } from "../../registry/session-store.ts";
import { type AdminTokenRecord, type DeviceListFilter, type Page, StoreError } from "../../registry/store.ts";
import { PAGE_SIZE_MAX } from "../bounds.ts";
import { isNumId } from "../num-id.ts";
import {
  ADMISSION_COLUMNS,
  adminTokenOfRow,
  admissionDeviceOfColumns,
  authenticationOfRow,
  configOfRow,
  DEVICE_SELECT,
  deviceOfRow,
  IS_BOUND_COLUMN,
  REGISTRY_COLUMNS,
  type Row,
  registryOfRow,
  stateOfRow,
} from "./registry-rows.ts";
import { SESSION_ORDER, SESSION_SELECT, sessionOfRows } from "./session-rows.ts";
import { Statements } from "./statements.ts";

/** Registries whose records are kept parsed; beyond it all are dropped and read again. */
export const REGISTRIES_CACHED_MAX = 10_000;
/** Changes read in one look at the log. */
const CHANGES_MAX = 1_000;

interface CachedRegistry {
  readonly pk: number;
  readonly record: RegistryRecord;
}

interface PageRequest {
  readonly size: number;
  readonly token?: string;
}

export class RegistryReader {
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  readonly #registries = new Map<string, CachedRegistry>();
  readonly #admissionById: StatementSync;
  readonly #admissionByNumId: StatementSync;
  readonly #attachmentById: StatementSync;
  readonly #attachmentByNumId: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#statements = new Statements(database);
    const admission = `SELECT ${ADMISSION_COLUMNS} FROM device WHERE registry_pk = ? AND`;
    this.#admissionById = database.prepare(`${admission} device_id = ?`);
    this.#admissionByNumId = database.prepare(`${admission} num_id = ?`);
    const attachment = `SELECT ${ADMISSION_COLUMNS}, ${IS_BOUND_COLUMN} FROM device WHERE registry_pk = ? AND`;
    this.#attachmentById = database.prepare(`${attachment} device_id = ?`);
    this.#attachmentByNumId = database.prepare(`${attachment} num_id = ?`);
    for (const statement of [
      this.#admissionById,
      this.#admissionByNumId,
      this.#attachmentById,
      this.#attachmentByNumId,
    ]) {
      statement.setReturnArrays(true);
    }
  }

  close(): void {
    this.#database.close();
  }

  lookUpAdmission(ref: DeviceRef): AdmissionRecord | undefined {
    const registry = this.#cachedRegistry(ref);
    if (registry === undefined) return undefined;
    const statement = isNumId(ref.device) ? this.#admissionByNumId : this.#admissionById;
    const columns: unknown = statement.get(registry.pk, ref.device);
    if (!Array.isArray(columns)) return { registry: registry.record };
    return { registry: registry.record, device: admissionDeviceOfColumns(columns) };
  }

  lookUpAttachment(ref: DeviceRef, gateway: string): AttachmentRecord | undefined {
    const registry = this.#cachedRegistry(ref);
    if (registry === undefined) return undefined;
    const statement = isNumId(ref.device) ? this.#attachmentByNumId : this.#attachmentById;
    const columns: unknown = statement.get(gateway, registry.pk, ref.device);
    if (!Array.isArray(columns)) return { registry: registry.record, isBound: false };
    return {
      registry: registry.record,
      device: admissionDeviceOfColumns(columns),
      isBound: columns.at(-1) === 1,
    };
  }

  lookUpConfig(ref: DeviceRef): DeviceConfigVersion | undefined {
    const registry = this.#cachedRegistry(ref);
    if (registry === undefined) return undefined;
    const row = this.#get(
      `SELECT c.version, c.cloud_update_ms, c.device_ack_ms, c.binary_data
       FROM device d JOIN device_config c ON c.device_pk = d.pk
       WHERE d.registry_pk = ? AND d.${idColumn(ref)} = ? ORDER BY c.version DESC LIMIT 1`,
      ...[registry.pk, ref.device],
    );
    return row === undefined ? undefined : configOfRow(row);
  }

  /** @param nowMs A Session whose end is not later is over. */
  lookUpSession(ref: DeviceRef, nowMs: number): KeptSession | undefined {
    const registry = this.#cachedRegistry(ref);
    if (registry === undefined) return undefined;
    const sql = `${SESSION_SELECT} d.${idColumn(ref)} = ? ${SESSION_ORDER}`;
    return sessionOfRows(this.#all(sql, nowMs, registry.pk, ref.device));
  }

  /** A registry may have changed: it is read again when next needed. */
  forget(ref: RegistryRef): void {
    this.#registries.delete(keyOf(ref));
  }

  findRegistry(ref: RegistryRef): RegistryRecord | undefined {
    return this.#readRegistry(ref)?.record;
  }

  listRegistries(
    parent: { readonly project: string; readonly location?: string },
    page: PageRequest,
  ): Page<RegistryRecord> {
    const size = pageSize(page);
    const rows = this.#all(
      `SELECT ${REGISTRY_COLUMNS} FROM registry WHERE project = ?1 AND (?2 IS NULL OR location = ?2)
       AND location || '/' || registry > ?3 ORDER BY location || '/' || registry LIMIT ?4`,
      ...[parent.project, parent.location ?? null, page.token ?? "", size + 1],
    );
    return pageOf(rows.map(registryOfRow), size, (record) => `${record.location}/${record.registry}`);
  }

  findDevice(ref: DeviceRef): DeviceRecord | undefined {
    const registry = this.#readRegistry(ref);
    return registry === undefined ? undefined : this.#readDevice(registry.pk, ref, ref.device);
  }

  listDevices(ref: RegistryRef, page: PageRequest, filter: DeviceListFilter = {}): Page<DeviceRecord> {
    const registry = this.#readRegistry(ref);
    if (registry === undefined) throw new StoreError("not_found", `there is no registry ${keyOf(ref)}`);
    const size = pageSize(page);
    const after = page.token ?? "";
    const gatewayPk = this.#findPkOf(ref, filter.boundToGateway);
    const boundPk = this.#findPkOf(ref, filter.gatewaysOfDevice);
    if (filter.ids !== undefined) {
      const found = new Map<string, DeviceRecord>();
      for (const id of filter.ids) {
        const device = this.#readDevice(registry.pk, ref, id);
        if (device === undefined || device.deviceId <= after) continue;
        if (!matches(device, filter.gatewayType)) continue;
        if (gatewayPk !== null && !this.#isBound(gatewayPk, this.#getDevicePk({ ...ref, device: id })))
          continue;
        if (boundPk !== null && !this.#isBound(this.#getDevicePk({ ...ref, device: id }), boundPk)) continue;
        found.set(device.deviceId, device);
      }
      const sorted = [...found.values()].sort((a, b) => (a.deviceId < b.deviceId ? -1 : 1));
      return pageOf(sorted.slice(0, size + 1), size, (device) => device.deviceId);
    }
    const gatewayFilter = {
      GATEWAY: "AND d.gateway_type = 'GATEWAY'",
      NON_GATEWAY: "AND d.gateway_type <> 'GATEWAY'",
    };
    const rows = this.#all(
      `${DEVICE_SELECT} WHERE d.registry_pk = ?1 AND d.device_id > ?2
       ${filter.gatewayType === undefined ? "" : gatewayFilter[filter.gatewayType]}
       ${gatewayPk === null ? "" : "AND d.pk IN (SELECT device_pk FROM gateway_binding WHERE gateway_pk = ?4)"}
       ${boundPk === null ? "" : "AND d.pk IN (SELECT gateway_pk FROM gateway_binding WHERE device_pk = ?5)"}
       ORDER BY d.device_id LIMIT ?3`,
      ...[registry.pk, after, size + 1],
      ...(gatewayPk === null && boundPk === null ? [] : [gatewayPk]),
      ...(boundPk === null ? [] : [boundPk]),
    );
    return pageOf(
      rows.map((row) => deviceOfRow(row, ref)),
      size,
      (device) => device.deviceId,
    );
  }

  listConfigVersions(ref: DeviceRef, newest: number): readonly DeviceConfigVersion[] {
    const sql = "SELECT * FROM device_config WHERE device_pk = ? ORDER BY version DESC LIMIT ?";
    return this.#all(sql, this.#getDevicePk(ref), newest).map(configOfRow);
  }

  listStates(ref: DeviceRef, newest: number): readonly DeviceStateVersion[] {
    const sql = "SELECT * FROM device_state WHERE device_pk = ? ORDER BY number DESC LIMIT ?";
    return this.#all(sql, this.#getDevicePk(ref), newest).map(stateOfRow);
  }

  listAuthentications(ref: DeviceRef, newest: number): readonly AuthenticationRecord[] {
    const sql =
      "SELECT record FROM authentication_record WHERE device_pk = ? ORDER BY at_ms DESC, class, number DESC LIMIT ?";
    return this.#all(sql, this.#getDevicePk(ref), newest).map(authenticationOfRow);
  }

  findAdminToken(hash: string): AdminTokenRecord | undefined {
    const row = this.#get("SELECT * FROM admin_token WHERE hash = ?", hash);
    return row === undefined ? undefined : adminTokenOfRow(row);
  }

  listAdminTokens(): readonly AdminTokenRecord[] {
    return this.#all("SELECT * FROM admin_token ORDER BY created_ms, hash").map(adminTokenOfRow);
  }

  /** Changes whenever another connection, of this process or another, has committed. */
  dataVersion(): number {
    return Number(this.#get("PRAGMA data_version")?.["data_version"]);
  }

  newestSequence(): number {
    // The log is trimmed, but a number is never used twice: AUTOINCREMENT remembers it here.
    return Number(this.#get("SELECT seq FROM sqlite_sequence WHERE name = 'change_log'")?.["seq"] ?? 0);
  }

  changesAfter(sequence: number): readonly RegistryChange[] {
    const sql = "SELECT * FROM change_log WHERE sequence > ? ORDER BY sequence LIMIT ?";
    return this.#all(sql, sequence, CHANGES_MAX).map((row) => {
      const deviceId = row["device_id"];
      const gatewayId = row["gateway_id"];
      return {
        sequence: Number(row["sequence"]),
        kind: String(row["kind"]) as RegistryChange["kind"],
        registry: {
          project: String(row["project"]),
          location: String(row["location"]),
          registry: String(row["registry"]),
        },
        ...(typeof deviceId === "string" ? { deviceId } : {}),
        ...(typeof gatewayId === "string" ? { gatewayId } : {}),
        atMs: Number(row["at_ms"]),
      };
    });
  }

  #cachedRegistry(ref: RegistryRef): CachedRegistry | undefined {
    const key = keyOf(ref);
    const cached = this.#registries.get(key);
    if (cached !== undefined) return cached;
    const read = this.#readRegistry(ref);
    if (read === undefined) return undefined;
    if (this.#registries.size >= REGISTRIES_CACHED_MAX) this.#registries.clear();
    this.#registries.set(key, read);
    return read;
  }

  #readRegistry(ref: RegistryRef): CachedRegistry | undefined {
    const row = this.#get(
      `SELECT ${REGISTRY_COLUMNS} FROM registry WHERE project = ? AND location = ? AND registry = ?`,
      ...[ref.project, ref.location, ref.registry],
    );
    return row === undefined ? undefined : { pk: Number(row["pk"]), record: registryOfRow(row) };
  }

  #readDevice(registryPk: number, ref: RegistryRef, device: string): DeviceRecord | undefined {
    const column = isNumId(device) ? "num_id" : "device_id";
    const row = this.#get(`${DEVICE_SELECT} WHERE d.registry_pk = ? AND d.${column} = ?`, registryPk, device);
    return row === undefined ? undefined : deviceOfRow(row, ref);
  }

  /** @throws {StoreError} not_found */
  #findPkOf(ref: RegistryRef, device: string | undefined): number | null {
    return device === undefined ? null : this.#getDevicePk({ ...ref, device });
  }

  #isBound(gatewayPk: number, devicePk: number): boolean {
    const sql = "SELECT 1 FROM gateway_binding WHERE gateway_pk = ? AND device_pk = ?";
    return this.#get(sql, gatewayPk, devicePk) !== undefined;
  }

  #getDevicePk(ref: DeviceRef): number {
    const registry = this.#readRegistry(ref);
    const sql = `SELECT pk FROM device WHERE registry_pk = ? AND ${idColumn(ref)} = ?`;
    const row = registry === undefined ? undefined : this.#get(sql, registry.pk, ref.device);
    if (row === undefined)
      throw new StoreError("not_found", `there is no device ${ref.device} in ${keyOf(ref)}`);
    return Number(row["pk"]);
  }

  #get(sql: string, ...values: (string | number | null)[]): Row | undefined {
    return this.#statements.get(sql, ...values);
  }

  #all(sql: string, ...values: (string | number | null)[]): Row[] {
    return this.#statements.all(sql, ...values);
  }
}

function idColumn(ref: DeviceRef): "num_id" | "device_id" {
  return isNumId(ref.device) ? "num_id" : "device_id";
}

function matches(device: DeviceRecord, gatewayType: "GATEWAY" | "NON_GATEWAY" | undefined): boolean {
  return gatewayType === undefined || (device.gatewayType === "GATEWAY") === (gatewayType === "GATEWAY");
}

function pageSize(page: PageRequest): number {
  return Math.max(1, Math.min(page.size, PAGE_SIZE_MAX));
}

/** @param items One more than `size` where there is a next page. */
function pageOf<T>(items: readonly T[], size: number, keyOfItem: (item: T) => string): Page<T> {
  const page = items.slice(0, size);
  const last = page.at(-1);
  return last === undefined || items.length <= size
    ? { items: page }
    : { items: page, nextPageToken: keyOfItem(last) };
}

function keyOf(ref: RegistryRef): string {
  return `projects/${ref.project}/locations/${ref.location}/registries/${ref.registry}`;
}
