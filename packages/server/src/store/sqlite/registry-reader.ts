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

/** The other side of one device's bindings. */
interface Association {
  /** Rows of devices, in order of their ids. */
  list(after: string, max: number): readonly Row[];
  has(numId: string): boolean;
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
    const associations = this.#associationsOf(ref, filter);
    if (filter.ids !== undefined) {
      const found = new Map<string, DeviceRecord>();
      for (const id of filter.ids) {
        const device = this.#readDevice(registry.pk, ref, id);
        if (device === undefined || device.deviceId <= after) continue;
        if (!matches(device, filter.gatewayType)) continue;
        if (associations.every((association) => association.has(device.numId)))
          found.set(device.deviceId, device);
      }
      const sorted = [...found.values()].sort((a, b) => (a.deviceId < b.deviceId ? -1 : 1));
      return pageOf(sorted.slice(0, size + 1), size, (device) => device.deviceId);
    }
    const [association, ...others] = associations;
    if (association !== undefined) {
      // Whoever is bound is of one type, and has no bindings of the other kind: this keeps all or none.
      const listed = association
        .list(after, size + 1)
        .map((row) => deviceOfRow(row, ref))
        .filter((device) => matches(device, filter.gatewayType))
        .filter((device) => others.every((other) => other.has(device.numId)));
      return pageOf(listed, size, (device) => device.deviceId);
    }
    const gatewayFilter = {
      GATEWAY: "AND d.gateway_type = 'GATEWAY'",
      NON_GATEWAY: "AND d.gateway_type <> 'GATEWAY'",
    };
    const rows = this.#all(
      `${DEVICE_SELECT} WHERE d.registry_pk = ? AND d.device_id > ?
       ${filter.gatewayType === undefined ? "" : gatewayFilter[filter.gatewayType]} ORDER BY d.device_id LIMIT ?`,
      ...[registry.pk, after, size + 1],
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

  /** What a filter asks about bindings. @throws {StoreError} not_found */
  #associationsOf(ref: RegistryRef, filter: DeviceListFilter): readonly Association[] {
    const sides = [
      { own: "gateway_pk", other: "device_pk", device: filter.boundToGateway },
      { own: "device_pk", other: "gateway_pk", device: filter.gatewaysOfDevice },
    ] as const;
    return sides.flatMap(({ own, other, device }) => {
      if (device === undefined) return [];
      const pk = this.#getDevicePk({ ...ref, device });
      return {
        // CROSS JOIN keeps the order of the loops: else SQLite walks over all devices of the registry. The page is
        // chosen before its rows are read whole, since a sort copies their configs and states.
        list: (after: string, max: number) =>
          this.#all(
            `${DEVICE_SELECT} WHERE d.pk IN (
               SELECT bound.pk FROM gateway_binding b CROSS JOIN device bound ON bound.pk = b.${other}
               WHERE b.${own} = ? AND bound.device_id > ? ORDER BY bound.device_id LIMIT ?)
             ORDER BY d.device_id`,
            ...[pk, after, max],
          ),
        has: (numId: string) =>
          this.#get(
            `SELECT 1 FROM device d CROSS JOIN gateway_binding b ON b.${other} = d.pk
             WHERE d.num_id = ? AND b.${own} = ?`,
            ...[numId, pk],
          ) !== undefined,
      };
    });
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
