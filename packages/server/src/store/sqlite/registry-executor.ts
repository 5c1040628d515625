/**
 * Carries out registry commands inside a transaction that is already open; each change with its log row.
 *
 * Refusals (`StoreError`) are thrown before anything is written wherever that is possible, and undone by the
 * caller's savepoint where it is not.
 */
import type { DatabaseSync } from "node:sqlite";
import { recordClassOf, recordsKeptMax, recordTimeOf } from "../../auth/authentication-record.ts";
import type {
  DeviceRecord,
  DeviceRef,
  KeyRecord,
  RegistryChange,
  RegistryRecord,
  RegistryRef,
} from "../../registry/model.ts";
import { type DevicePatch, StoreError } from "../../registry/store.ts";
import { mergeActivity } from "../activity-queue.ts";
import { isBoundStill } from "../binding-rules.ts";
import { VERSIONS_KEPT_MAX } from "../bounds.ts";
import { isNumId } from "../num-id.ts";
import { BindingExecutor } from "./binding-executor.ts";
import type { AnswerOf, CommandOf, RegistryCommand } from "./registry-commands.ts";
import { DEVICE_SELECT, deviceOfRow, REGISTRY_COLUMNS, type Row, registryOfRow } from "./registry-rows.ts";
import { SessionExecutor } from "./session-executor.ts";
import { Statements } from "./statements.ts";

/** Change-log rows one trim removes, so that it never holds up a write. */
const TRIM_ROWS_MAX = 5_000;
const PROBE_BYTES = 32 * 1024;

interface RegistryRow {
  readonly pk: number;
  readonly record: RegistryRecord;
}

export class RegistryExecutor {
  readonly #statements: Statements;
  readonly #sessions: SessionExecutor;
  readonly #bindings: BindingExecutor;

  constructor(database: DatabaseSync) {
    this.#statements = new Statements(database);
    this.#sessions = new SessionExecutor(this.#statements, (ref) => this.#findDeviceByRef(ref)?.pk);
    this.#bindings = new BindingExecutor(this.#statements, {
      getDevice: (ref) => this.#getDevice(ref),
      log: (kind, ref, atMs, deviceId, gatewayId) => this.#log(kind, ref, atMs, deviceId, gatewayId),
    });
  }

  execute(command: RegistryCommand): unknown {
    switch (command.kind) {
      case "createRegistry":
        return this.#createRegistry(command);
      case "updateRegistry":
        return this.#updateRegistry(command);
      case "deleteRegistry":
        return this.#deleteRegistry(command);
      case "createDevice":
        return this.#createDevice(command);
      case "updateDevice":
        return this.#updateDevice(command);
      case "deleteDevice":
        return this.#deleteDevice(command);
      case "bindDevice":
        return this.#bindings.bind(command);
      case "unbindDevice":
        return this.#bindings.unbind(command);
      case "modifyConfig":
        return this.#modifyConfig(command);
      case "acknowledgeConfig":
        return this.#acknowledgeConfig(command);
      case "appendState":
        return this.#appendState(command);
      case "recordActivity":
        return this.#recordActivity(command);
      case "recordAuthentications":
        return this.#recordAuthentications(command);
      case "addAdminToken":
        return this.#addAdminToken(command);
      case "removeAdminToken":
        return this.#run("DELETE FROM admin_token WHERE hash = ?", command.hash) > 0;
      case "saveSession":
        return this.#sessions.save(command);
      case "leaveSession":
        return this.#sessions.leave(command);
      case "endSession":
        return this.#sessions.end(command);
      case "queueCommand":
        return this.#sessions.queue(command);
      case "removeCommand":
        return this.#sessions.remove(command);
      case "leaveAllSessions":
        return this.#sessions.leaveAll(command);
      case "trimSessions":
        return this.#sessions.trim(command);
      case "trimChanges":
        return this.#run(
          "DELETE FROM change_log WHERE sequence IN (SELECT sequence FROM change_log WHERE at_ms < ? ORDER BY sequence LIMIT ?)",
          command.beforeMs,
          TRIM_ROWS_MAX,
        );
      case "probe":
        this.#run("INSERT OR REPLACE INTO probe (pk, filler) VALUES (1, ?)", new Uint8Array(PROBE_BYTES));
        return undefined;
    }
  }

  #createRegistry({ record, numIds, nowMs }: CommandOf<"createRegistry">): AnswerOf<"createRegistry"> {
    if (this.#findRegistry(record) !== undefined) {
      throw new StoreError("already_exists", `registry ${pathOf(record)} exists already`);
    }
    const { project, location, registry } = record;
    const numId = this.#freshNumId(numIds);
    this.#run(
      `INSERT INTO registry (project, location, registry, num_id, policy, retention_age_seconds, retention_bytes,
         mqtt_enabled, http_enabled, log_level, event_notification_configs, state_notification_topic, credentials,
         created_ms, updated_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[project, location, registry, numId, ...registryColumns(record), nowMs, nowMs],
    );
    this.#log("registry_created", record, nowMs);
    return this.#getRegistry(record).record;
  }

  #updateRegistry({ ref, patch, nowMs }: CommandOf<"updateRegistry">): AnswerOf<"updateRegistry"> {
    const { pk, record } = this.#getRegistry(ref);
    this.#run(
      `UPDATE registry SET policy = ?, retention_age_seconds = ?, retention_bytes = ?, mqtt_enabled = ?,
         http_enabled = ?, log_level = ?, event_notification_configs = ?, state_notification_topic = ?,
         credentials = ?, updated_ms = ? WHERE pk = ?`,
      ...[...registryColumns({ ...record, ...withoutUndefined(patch) }), nowMs, pk],
    );
    this.#log("registry_updated", ref, nowMs);
    return this.#getRegistry(ref).record;
  }

  #deleteRegistry({ ref, nowMs }: CommandOf<"deleteRegistry">): undefined {
    const { pk, record } = this.#getRegistry(ref);
    if (this.#get("SELECT 1 FROM device WHERE registry_pk = ? LIMIT 1", pk) !== undefined) {
      throw new StoreError("not_empty", `registry ${pathOf(ref)} still has devices`);
    }
    this.#run("DELETE FROM registry WHERE pk = ?", pk);
    this.#run("INSERT OR IGNORE INTO retired_num_id (num_id) VALUES (?)", record.numId);
    this.#log("registry_deleted", ref, nowMs);
  }

  #createDevice({ record, numIds, nowMs }: CommandOf<"createDevice">): AnswerOf<"createDevice"> {
    const registry = this.#getRegistry(record);
    const ref = { ...refOf(record), device: record.deviceId };
    if (this.#findDevice(registry.pk, record.deviceId) !== undefined) {
      throw new StoreError("already_exists", `device ${record.deviceId} exists already`);
    }
    this.#checkKeys(record.project, registry.record, undefined, [], record.keys);
    this.#run(
      `INSERT INTO device (registry_pk, device_id, num_id, blocked, tokens_not_before_seconds, keys, instruction,
         attestation, log_level, metadata, gateway_type, gateway_auth_method, created_ms, updated_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      registry.pk,
      record.deviceId,
      this.#freshNumId(numIds),
      record.blocked ? 1 : 0,
      record.tokensNotBeforeSeconds ?? null,
      JSON.stringify(record.keys),
      textOrNull(record.instruction),
      textOrNull(record.attestation),
      record.logLevel,
      JSON.stringify(record.metadata),
      record.gatewayType,
      record.gatewayAuthMethod,
      nowMs,
      nowMs,
    );
    const { pk } = this.#getDevice(ref);
    this.#indexKeys(pk, record.project, record.keys, nowMs);
    this.#run(
      "INSERT INTO device_config (device_pk, version, cloud_update_ms, binary_data) VALUES (?, 1, ?, ?)",
      ...[pk, nowMs, record.config ?? new Uint8Array()],
    );
    this.#log("device_created", record, nowMs, record.deviceId);
    return this.#readDevice(pk, record);
  }

  #updateDevice({ ref, patch, nowMs }: CommandOf<"updateDevice">): AnswerOf<"updateDevice"> {
    const registry = this.#getRegistry(ref);
    const { pk } = this.#getDevice(ref);
    const before = this.#readDevice(pk, ref);
    if (patch.keys !== undefined) {
      this.#checkKeys(ref.project, registry.record, pk, before.keys, patch.keys);
      this.#run("DELETE FROM device_key WHERE device_pk = ?", pk);
      this.#indexKeys(pk, ref.project, patch.keys, nowMs);
    }
    const after: DeviceRecord & DevicePatch = { ...before, ...withoutUndefined(patch) } as DeviceRecord;
    this.#run(
      `UPDATE device SET blocked = ?, tokens_not_before_seconds = ?, keys = ?, instruction = ?,
         attestation = ?, log_level = ?, metadata = ?, gateway_auth_method = ?, updated_ms = ? WHERE pk = ?`,
      after.blocked ? 1 : 0,
      after.tokensNotBeforeSeconds ?? null,
      JSON.stringify(after.keys),
      textOrNull(after.instruction),
      textOrNull(after.attestation),
      after.logLevel,
      JSON.stringify(after.metadata),
      after.gatewayAuthMethod,
      nowMs,
      pk,
    );
    this.#sessions.keysReplaced(pk, after.keys, nowMs);
    this.#log("device_updated", ref, nowMs, before.deviceId);
    return this.#readDevice(pk, ref);
  }

  #deleteDevice({ ref, nowMs }: CommandOf<"deleteDevice">): undefined {
    const { pk, deviceId, numId } = this.#getDevice(ref);
    if (this.#bindings.isBound(pk)) throw isBoundStill(deviceId);
    this.#run("DELETE FROM device WHERE pk = ?", pk);
    this.#run("INSERT OR IGNORE INTO retired_num_id (num_id) VALUES (?)", numId);
    this.#log("device_deleted", ref, nowMs, deviceId);
  }

  #modifyConfig(command: CommandOf<"modifyConfig">): AnswerOf<"modifyConfig"> {
    const { ref, binaryData, versionToUpdate, nowMs } = command;
    const { pk, deviceId } = this.#getDevice(ref);
    const row = this.#get("SELECT max(version) AS version FROM device_config WHERE device_pk = ?", pk);
    const current = Number(row?.["version"]);
    if (versionToUpdate !== 0 && versionToUpdate !== current) {
      throw new StoreError("version_mismatch", `the config is at version ${current}, not ${versionToUpdate}`);
    }
    const version = current + 1;
    this.#run(
      "INSERT INTO device_config (device_pk, version, cloud_update_ms, binary_data) VALUES (?, ?, ?, ?)",
      ...[pk, version, nowMs, binaryData],
    );
    this.#run(
      "DELETE FROM device_config WHERE device_pk = ? AND version <= ?",
      ...[pk, version - VERSIONS_KEPT_MAX],
    );
    this.#log("config_updated", ref, nowMs, deviceId);
    return { version, cloudUpdateMs: nowMs, binaryData };
  }

  #acknowledgeConfig({ ref, version, atMs }: CommandOf<"acknowledgeConfig">): undefined {
    const device = this.#findDeviceByRef(ref);
    if (device === undefined) return;
    this.#run(
      "UPDATE device_config SET device_ack_ms = ? WHERE device_pk = ? AND version = ? AND device_ack_ms IS NULL",
      ...[Math.round(atMs), device.pk, version],
    );
  }

  #appendState({ ref, state }: CommandOf<"appendState">): undefined {
    const { pk } = this.#getDevice(ref);
    const row = this.#get("SELECT max(number) AS number FROM device_state WHERE device_pk = ?", pk);
    const number = Number(row?.["number"] ?? 0) + 1;
    this.#run(
      "INSERT INTO device_state (device_pk, number, update_ms, binary_data) VALUES (?, ?, ?, ?)",
      ...[pk, number, Math.round(state.updateMs), state.binaryData],
    );
    this.#run(
      "DELETE FROM device_state WHERE device_pk = ? AND number <= ?",
      ...[pk, number - VERSIONS_KEPT_MAX],
    );
  }

  #recordActivity({ updates }: CommandOf<"recordActivity">): undefined {
    for (const { device, activity } of updates) {
      const found = this.#findDeviceByRef(device);
      if (found === undefined) continue;
      const row = this.#get("SELECT activity FROM device_activity WHERE device_pk = ?", found.pk);
      const merged =
        row === undefined ? activity : mergeActivity(JSON.parse(String(row["activity"])), activity);
      this.#run(
        "INSERT OR REPLACE INTO device_activity (device_pk, activity) VALUES (?, ?)",
        ...[found.pk, JSON.stringify(merged)],
      );
    }
  }

  #recordAuthentications({ updates }: CommandOf<"recordAuthentications">): undefined {
    for (const { device, series, record } of updates) {
      const pk = this.#findDeviceByRef(device)?.pk;
      if (pk === undefined) continue;
      const kind = recordClassOf(record);
      const [text, atMs] = [JSON.stringify(record), recordTimeOf(record)];
      const updated = this.#run(
        "UPDATE authentication_record SET at_ms = ?, record = ? WHERE device_pk = ? AND class = ? AND series = ?",
        ...[atMs, text, pk, kind, series],
      );
      if (Number(updated) > 0) continue;
      const row = this.#get(
        "SELECT max(number) AS number FROM authentication_record WHERE device_pk = ? AND class = ?",
        ...[pk, kind],
      );
      const number = Number(row?.["number"] ?? 0) + 1;
      this.#run(
        `INSERT INTO authentication_record (device_pk, class, number, series, at_ms, record)
         VALUES (?, ?, ?, ?, ?, ?)`,
        ...[pk, kind, number, series, atMs, text],
      );
      this.#run(
        "DELETE FROM authentication_record WHERE device_pk = ? AND class = ? AND number <= ?",
        ...[pk, kind, number - recordsKeptMax[kind]],
      );
    }
  }

  #addAdminToken({ record }: CommandOf<"addAdminToken">): undefined {
    if (this.#get("SELECT 1 FROM admin_token WHERE hash = ?", record.hash) !== undefined) {
      throw new StoreError("already_exists", "this admin token exists already");
    }
    this.#run(
      "INSERT INTO admin_token (hash, name, loopback_only, created_ms, expires_ms) VALUES (?, ?, ?, ?, ?)",
      ...[record.hash, record.name, record.loopbackOnly ? 1 : 0, record.createdMs, record.expiresMs ?? null],
    );
  }

  /** A key already on this device needs no new permission; a revoked one stays revoked for everybody. */
  #checkKeys(
    project: string,
    registry: RegistryRecord,
    devicePk: number | undefined,
    before: readonly KeyRecord[],
    after: readonly KeyRecord[],
  ): void {
    for (const key of after) {
      const revoked = "SELECT 1 FROM revoked_key WHERE project = ? AND fingerprint = ?";
      if (key.state !== "revoked" && this.#get(revoked, project, key.fingerprint) !== undefined) {
        throw new StoreError("key_taken", `key ${key.keyId} was revoked in this project and stays revoked`);
      }
      const isOwn = before.some((one) => one.fingerprint === key.fingerprint);
      if (isOwn || registry.policy.duplicateKeys === "report") continue;
      const held =
        "SELECT 1 FROM device_key WHERE project = ? AND fingerprint = ? AND device_pk <> ? LIMIT 1";
      if (this.#get(held, project, key.fingerprint, devicePk ?? -1) !== undefined) {
        throw new StoreError("key_taken", `key ${key.keyId} belongs to another device of this project`);
      }
    }
  }

  #indexKeys(pk: number, project: string, keys: readonly KeyRecord[], nowMs: number): void {
    for (const [position, key] of keys.entries()) {
      this.#run(
        `INSERT INTO device_key (device_pk, position, project, fingerprint, key_id, state, slot, expires_at_seconds)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
        ...[pk, position, project, key.fingerprint, key.keyId, key.state],
        ...[key.slot ?? null, key.expiresAtSeconds ?? null],
      );
      if (key.state !== "revoked") continue;
      this.#run(
        "INSERT OR IGNORE INTO revoked_key (project, fingerprint, at_ms) VALUES (?, ?, ?)",
        ...[project, key.fingerprint, nowMs],
      );
    }
  }

  #freshNumId(candidates: readonly string[]): string {
    const fresh = candidates.find(
      (numId) =>
        this.#get(
          `SELECT 1 FROM device WHERE num_id = ?1 UNION ALL SELECT 1 FROM registry WHERE num_id = ?1
           UNION ALL SELECT 1 FROM retired_num_id WHERE num_id = ?1`,
          numId,
        ) === undefined,
    );
    if (fresh === undefined)
      throw new StoreError("store_failed", "the random source repeats itself: no fresh numId");
    return fresh;
  }

  #findRegistry(ref: RegistryRef): RegistryRow | undefined {
    const row = this.#get(
      `SELECT ${REGISTRY_COLUMNS} FROM registry WHERE project = ? AND location = ? AND registry = ?`,
      ...[ref.project, ref.location, ref.registry],
    );
    return row === undefined ? undefined : { pk: Number(row["pk"]), record: registryOfRow(row) };
  }

  #getRegistry(ref: RegistryRef): RegistryRow {
    const found = this.#findRegistry(ref);
    if (found === undefined) throw new StoreError("not_found", `there is no registry ${pathOf(ref)}`);
    return found;
  }

  #findDevice(
    registryPk: number,
    device: string,
  ): { pk: number; deviceId: string; numId: string } | undefined {
    const column = isNumId(device) ? "num_id" : "device_id";
    const row = this.#get(
      `SELECT pk, device_id, num_id FROM device WHERE registry_pk = ? AND ${column} = ?`,
      ...[registryPk, device],
    );
    if (row === undefined) return undefined;
    return { pk: Number(row["pk"]), deviceId: String(row["device_id"]), numId: String(row["num_id"]) };
  }

  #findDeviceByRef(ref: DeviceRef): { pk: number; deviceId: string; numId: string } | undefined {
    const row = this.#get(
      "SELECT pk FROM registry WHERE project = ? AND location = ? AND registry = ?",
      ...[ref.project, ref.location, ref.registry],
    );
    return row === undefined ? undefined : this.#findDevice(Number(row["pk"]), ref.device);
  }

  #getDevice(ref: DeviceRef): { pk: number; deviceId: string; numId: string } {
    const found = this.#findDeviceByRef(ref);
    if (found === undefined)
      throw new StoreError("not_found", `there is no device ${ref.device} in ${pathOf(ref)}`);
    return found;
  }

  #readDevice(pk: number, ref: RegistryRef): DeviceRecord {
    return deviceOfRow(this.#get(`${DEVICE_SELECT} WHERE d.pk = ?`, pk) ?? {}, ref);
  }

  #log(
    kind: RegistryChange["kind"],
    ref: RegistryRef,
    atMs: number,
    deviceId?: string,
    gatewayId?: string,
  ): void {
    this.#run(
      `INSERT INTO change_log (kind, project, location, registry, device_id, gateway_id, at_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      ...[kind, ref.project, ref.location, ref.registry, deviceId ?? null, gatewayId ?? null, atMs],
    );
  }

  #run(sql: string, ...values: (string | number | null | Uint8Array)[]): number {
    return this.#statements.run(sql, ...values);
  }

  #get(sql: string, ...values: (string | number | null)[]): Row | undefined {
    return this.#statements.get(sql, ...values);
  }
}

function registryColumns(record: NewRegistryColumns): (string | number)[] {
  return [
    JSON.stringify(record.policy),
    record.retention.ageSeconds,
    record.retention.bytes,
    record.mqttEnabled ? 1 : 0,
    record.httpEnabled ? 1 : 0,
    record.logLevel,
    JSON.stringify(record.eventNotificationConfigs),
    record.stateNotificationTopic,
    JSON.stringify(record.credentials),
  ];
}

type NewRegistryColumns = Omit<RegistryRecord, "numId" | "createdMs" | "updatedMs">;

function refOf(ref: RegistryRef): RegistryRef {
  return { project: ref.project, location: ref.location, registry: ref.registry };
}

function pathOf(ref: RegistryRef): string {
  return `projects/${ref.project}/locations/${ref.location}/registries/${ref.registry}`;
}

/** A field given as undefined is a field not given. */
function withoutUndefined<T extends object>(patch: T): T {
  return Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined)) as T;
}

function textOrNull(value: object | null | undefined): string | null {
  return value === undefined || value === null ? null : JSON.stringify(value);
}
