/** Rows of the registry file as the domain's values, and the columns each is read from. */
import type { AuthenticationRecord } from "../../auth/authentication-record.ts";
import type {
  AdmissionRecord,
  AttestationRecord,
  DeviceActivity,
  DeviceConfigVersion,
  DeviceRecord,
  DeviceStateVersion,
  InstructionRecord,
  KeyRecord,
  RegistryRecord,
  RegistryRef,
} from "../../registry/model.ts";
import type { AdminTokenRecord } from "../../registry/store.ts";

export type Row = Record<string, unknown>;

export const REGISTRY_COLUMNS = `pk, project, location, registry, num_id, policy, retention_age_seconds, retention_bytes,
  mqtt_enabled, http_enabled, log_level, event_notification_configs, state_notification_topic, credentials,
  created_ms, updated_ms`;

export function registryOfRow(row: Row): RegistryRecord {
  return {
    project: text(row["project"]),
    location: text(row["location"]),
    registry: text(row["registry"]),
    numId: text(row["num_id"]),
    policy: json<RegistryRecord["policy"]>(row["policy"]),
    retention: {
      ageSeconds: Number(row["retention_age_seconds"]),
      bytes: Number(row["retention_bytes"]),
    },
    mqttEnabled: row["mqtt_enabled"] === 1,
    httpEnabled: row["http_enabled"] === 1,
    logLevel: text(row["log_level"]) as RegistryRecord["logLevel"],
    eventNotificationConfigs: json<RegistryRecord["eventNotificationConfigs"]>(
      row["event_notification_configs"],
    ),
    stateNotificationTopic: text(row["state_notification_topic"]),
    credentials: json<readonly string[]>(row["credentials"]),
    createdMs: Number(row["created_ms"]),
    updatedMs: Number(row["updated_ms"]),
  };
}

/** A device with its latest config, latest state and activity: one row each. */
export const DEVICE_SELECT = `SELECT d.pk, d.device_id, d.num_id, d.blocked, d.tokens_not_before_seconds, d.keys,
  d.instruction, d.attestation, d.log_level, d.metadata, d.gateway_type, d.gateway_auth_method, d.created_ms, d.updated_ms,
  c.version, c.cloud_update_ms, c.device_ack_ms, c.binary_data,
  s.update_ms AS state_update_ms, s.binary_data AS state_binary_data, a.activity
FROM device d
JOIN device_config c ON c.device_pk = d.pk
  AND c.version = (SELECT max(version) FROM device_config WHERE device_pk = d.pk)
LEFT JOIN device_state s ON s.device_pk = d.pk
  AND s.number = (SELECT max(number) FROM device_state WHERE device_pk = d.pk)
LEFT JOIN device_activity a ON a.device_pk = d.pk`;

export function deviceOfRow(row: Row, ref: RegistryRef): DeviceRecord {
  const notBefore = row["tokens_not_before_seconds"];
  const stateMs = row["state_update_ms"];
  return {
    project: ref.project,
    location: ref.location,
    registry: ref.registry,
    deviceId: text(row["device_id"]),
    numId: text(row["num_id"]),
    blocked: row["blocked"] === 1,
    logLevel: text(row["log_level"]) as DeviceRecord["logLevel"],
    metadata: json<Record<string, string>>(row["metadata"]),
    gatewayType: text(row["gateway_type"]) as DeviceRecord["gatewayType"],
    gatewayAuthMethod: text(row["gateway_auth_method"]) as DeviceRecord["gatewayAuthMethod"],
    keys: json<readonly KeyRecord[]>(row["keys"]),
    ...(typeof notBefore === "number" ? { tokensNotBeforeSeconds: notBefore } : {}),
    ...(row["instruction"] === null ? {} : { instruction: json<InstructionRecord>(row["instruction"]) }),
    ...(row["attestation"] === null ? {} : { attestation: json<AttestationRecord>(row["attestation"]) }),
    config: configOfRow(row),
    ...(typeof stateMs === "number"
      ? { state: { updateMs: stateMs, binaryData: bytes(row["state_binary_data"]) } }
      : {}),
    activity: row["activity"] === null ? {} : json<DeviceActivity>(row["activity"]),
    createdMs: Number(row["created_ms"]),
    updatedMs: Number(row["updated_ms"]),
  };
}

export function configOfRow(row: Row): DeviceConfigVersion {
  const ack = row["device_ack_ms"];
  return {
    version: Number(row["version"]),
    cloudUpdateMs: Number(row["cloud_update_ms"]),
    ...(typeof ack === "number" ? { deviceAckMs: ack } : {}),
    binaryData: bytes(row["binary_data"]),
  };
}

export function stateOfRow(row: Row): DeviceStateVersion {
  return { updateMs: Number(row["update_ms"]), binaryData: bytes(row["binary_data"]) };
}

export function authenticationOfRow(row: Row): AuthenticationRecord {
  return json<AuthenticationRecord>(row["record"]);
}

export function adminTokenOfRow(row: Row): AdminTokenRecord {
  const expires = row["expires_ms"];
  return {
    hash: text(row["hash"]),
    name: text(row["name"]),
    loopbackOnly: row["loopback_only"] === 1,
    createdMs: Number(row["created_ms"]),
    ...(typeof expires === "number" ? { expiresMs: expires } : {}),
  };
}

/** Read as an array, in the order of the columns: the one row of a CONNECT. */
export const ADMISSION_COLUMNS =
  "device_id, num_id, blocked, keys, tokens_not_before_seconds, gateway_type, gateway_auth_method, log_level";

/** Whether the device is bound to the gateway whose string id is the parameter, behind the columns above. */
export const IS_BOUND_COLUMN = `EXISTS (SELECT 1 FROM gateway_binding b JOIN device g ON g.pk = b.gateway_pk
  WHERE b.device_pk = device.pk AND g.registry_pk = device.registry_pk AND g.device_id = ?)`;

export function admissionDeviceOfColumns(
  columns: readonly unknown[],
): NonNullable<AdmissionRecord["device"]> {
  const [deviceId, numId, blocked, keys, notBefore, gatewayType, gatewayAuthMethod, logLevel] = columns;
  const device = {
    deviceId: text(deviceId),
    numId: text(numId),
    blocked: blocked === 1,
    keys: json<readonly KeyRecord[]>(keys),
    gatewayType: text(gatewayType) as DeviceRecord["gatewayType"],
    gatewayAuthMethod: text(gatewayAuthMethod) as DeviceRecord["gatewayAuthMethod"],
    logLevel: text(logLevel) as DeviceRecord["logLevel"],
  };
  return typeof notBefore === "number" ? { ...device, tokensNotBeforeSeconds: notBefore } : device;
}

function text(value: unknown): string {
  return String(value);
}

function bytes(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? value : new Uint8Array();
}

/** What we wrote ourselves: its shape is the schema number's promise. */
function json<T>(value: unknown): T {
  return JSON.parse(String(value)) as T;
}
