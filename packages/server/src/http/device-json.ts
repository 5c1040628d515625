/**
 * Devices between v1 JSON and the domain.
 *
 * The response looks as Cloud IoT Core's did (cloud-iot-core.md §1.4): `name` ends in the numId, an unset
 * credential expiry is the epoch, `gatewayConfig` is always there, 64-bit integers are text, and what is
 * empty is absent. The epoch is taken back as "no expiry", because clients echo what they read.
 */
import { base64Encode, formatDeviceName, IdError, parseDeviceId } from "@mayfly/core";
import type {
  Device,
  DeviceConfig,
  DeviceCredential,
  DeviceState,
  GatewayAuthMethod,
  GatewayConfig,
  GatewayType,
  PublicKeyFormat,
} from "@mayfly/core/admin";
import type { CredentialInput, DeviceChange, DeviceInput } from "../registry/devices.ts";
import { isVerifyingState, VERIFYING_KEYS_MAX } from "../registry/key-set.ts";
import type { DeviceConfigVersion, DeviceRecord, DeviceStateVersion, KeyRecord } from "../registry/model.ts";
import { ApiError, invalidField } from "./api-error.ts";
import {
  findBoolean,
  findObject,
  findTimeSeconds,
  type JsonFields,
  readBytes,
  readEnum,
  readObject,
  readObjects,
  readString,
} from "./json-fields.ts";
import { logLevels } from "./registry-json.ts";
import { EPOCH, formatMillis, formatSeconds } from "./timestamps.ts";

const publicKeyFormats = {
  UNSPECIFIED_PUBLIC_KEY_FORMAT: 0,
  RSA_X509_PEM: 1,
  ES256_PEM: 2,
  RSA_PEM: 3,
  ES256_X509_PEM: 4,
} satisfies Record<PublicKeyFormat | "UNSPECIFIED_PUBLIC_KEY_FORMAT", number>;

export const gatewayTypes = {
  GATEWAY_TYPE_UNSPECIFIED: 0,
  GATEWAY: 1,
  NON_GATEWAY: 2,
} satisfies Record<GatewayType, number>;

const gatewayAuthMethods = {
  GATEWAY_AUTH_METHOD_UNSPECIFIED: 0,
  ASSOCIATION_ONLY: 1,
  DEVICE_AUTH_TOKEN_ONLY: 2,
  ASSOCIATION_AND_DEVICE_AUTH_TOKEN: 3,
} satisfies Record<GatewayAuthMethod, number>;

const gatewayMembers = [
  "gatewayType",
  "gatewayAuthMethod",
  "lastAccessedGatewayId",
  "lastAccessedGatewayTime",
];

/** Top-level members of a Device: what a body may hold and a field mask may name. */
export const deviceMembers = [
  "id",
  "name",
  "numId",
  "credentials",
  "lastHeartbeatTime",
  "lastEventTime",
  "lastStateTime",
  "lastConfigAckTime",
  "lastConfigSendTime",
  "blocked",
  "lastErrorTime",
  "lastErrorStatus",
  "config",
  "state",
  "logLevel",
  "metadata",
  "gatewayConfig",
] as const;

/** What an update mask of a device may name. */
export const deviceMask = {
  id: "immutable",
  name: "immutable",
  numId: "immutable",
  lastHeartbeatTime: "immutable",
  lastEventTime: "immutable",
  lastStateTime: "immutable",
  lastConfigAckTime: "immutable",
  lastConfigSendTime: "immutable",
  lastErrorTime: "immutable",
  lastErrorStatus: "immutable",
  config: "immutable",
  state: "immutable",
  gatewayConfig: "gatewayAuthMethod",
  "gatewayConfig.gatewayType": "immutable",
  "gatewayConfig.lastAccessedGatewayId": "immutable",
  "gatewayConfig.lastAccessedGatewayTime": "immutable",
  "gatewayConfig.gatewayAuthMethod": "gatewayAuthMethod",
  credentials: "credentials",
  blocked: "blocked",
  metadata: "metadata",
  logLevel: "logLevel",
} as const;

export type DeviceField = Exclude<(typeof deviceMask)[keyof typeof deviceMask], "immutable">;

/** @throws {ApiError} INVALID_ARGUMENT */
export function readDeviceBody(body: unknown): JsonFields {
  return readObject(body ?? {}, "", deviceMembers);
}

/** @throws {ApiError} INVALID_ARGUMENT */
export function deviceInputOf(fields: JsonFields): DeviceInput {
  if (readString(fields, "name") !== "")
    throw invalidField("device.name", "device.name must be empty: the server gives it.");
  const gateway = findObject(fields, "gatewayConfig", gatewayMembers);
  const config = findObject(fields, "config", ["version", "cloudUpdateTime", "deviceAckTime", "binaryData"]);
  return {
    deviceId: readDeviceId(readString(fields, "id")),
    credentials: readCredentials(fields),
    blocked: findBoolean(fields, "blocked") ?? false,
    logLevel: readEnum(fields, "logLevel", logLevels),
    metadata: readMetadata(fields),
    gatewayType:
      gateway === undefined ? "GATEWAY_TYPE_UNSPECIFIED" : readEnum(gateway, "gatewayType", gatewayTypes),
    gatewayAuthMethod: readGatewayAuthMethod(fields),
    ...(config === undefined ? {} : { config: readBytes(config, "binaryData") }),
  };
}

/** Only the masked fields; one the body leaves out is cleared. @throws {ApiError} INVALID_ARGUMENT */
export function deviceChangeOf(fields: JsonFields, mask: ReadonlySet<DeviceField>): DeviceChange {
  return {
    ...(mask.has("credentials") ? { credentials: readCredentials(fields) } : {}),
    ...(mask.has("blocked") ? { blocked: findBoolean(fields, "blocked") ?? false } : {}),
    ...(mask.has("logLevel") ? { logLevel: readEnum(fields, "logLevel", logLevels) } : {}),
    ...(mask.has("metadata") ? { metadata: readMetadata(fields) } : {}),
    ...(mask.has("gatewayAuthMethod") ? { gatewayAuthMethod: readGatewayAuthMethod(fields) } : {}),
  };
}

/** Google's words for an id that breaks the rules. */
function readDeviceId(id: string): string {
  try {
    return parseDeviceId(id);
  } catch (error) {
    if (!(error instanceof IdError)) throw error;
    throw invalidField("device.id", `The format of 'device.id' is invalid:'${id.slice(0, 255)}'`);
  }
}

function readCredentials(fields: JsonFields): readonly CredentialInput[] {
  const known = ["publicKey", "expirationTime"];
  return readObjects(fields, "credentials", known, VERIFYING_KEYS_MAX).map((credential) => {
    const publicKey = findObject(credential, "publicKey", ["format", "key"]);
    if (publicKey === undefined) {
      throw invalidField(`${credential.path}.public_key`, "A device credential needs a publicKey.");
    }
    const expiresAtSeconds = findTimeSeconds(credential, "expirationTime") ?? undefined;
    return {
      format: readPublicKeyFormat(publicKey),
      pem: readString(publicKey, "key"),
      ...(expiresAtSeconds === undefined ? {} : { expiresAtSeconds }),
    };
  });
}

/** @throws {ApiError} INVALID_ARGUMENT: absent or unspecified too. */
export function readPublicKeyFormat(publicKey: JsonFields): PublicKeyFormat {
  const format = readEnum(publicKey, "format", publicKeyFormats);
  if (format !== "UNSPECIFIED_PUBLIC_KEY_FORMAT") return format;
  throw invalidField(
    publicKey.path === "" ? "format" : `${publicKey.path}.format`,
    "The public key needs a format: RSA_PEM, RSA_X509_PEM, ES256_PEM or ES256_X509_PEM.",
  );
}

function readMetadata(fields: JsonFields): Readonly<Record<string, string>> {
  const metadata = fields.values.get("metadata") ?? {};
  if (typeof metadata !== "object" || metadata === null || Array.isArray(metadata)) {
    throw invalidField("metadata", "Invalid value at 'metadata': a map of text to text is expected.");
  }
  const pairs = Object.entries(metadata).map(([key, value]): [string, string] => {
    if (typeof value === "string") return [key, value];
    throw invalidField("metadata", `Invalid value at 'metadata[${key.slice(0, 128)}]' (TYPE_STRING).`);
  });
  return Object.fromEntries(pairs);
}

function readGatewayAuthMethod(fields: JsonFields): GatewayAuthMethod {
  const gateway = findObject(fields, "gatewayConfig", gatewayMembers);
  return gateway === undefined
    ? "GATEWAY_AUTH_METHOD_UNSPECIFIED"
    : readEnum(gateway, "gatewayAuthMethod", gatewayAuthMethods);
}

/** @throws {ApiError} INVALID_ARGUMENT: the body speaks of another device than the path. */
export function checkSameDevice(fields: JsonFields, device: DeviceRecord): void {
  const own = [device.deviceId, device.numId];
  const names = own.map((id) => formatDeviceName({ ...device, device: id }));
  const wrong = [
    ["name", names],
    ["id", [device.deviceId]],
    ["numId", [device.numId]],
  ] as const;
  for (const [member, allowed] of wrong) {
    const value = fields.values.get(member);
    if (value === undefined || value === "" || value === 0 || value === "0") continue;
    if (!allowed.includes(String(value))) {
      throw new ApiError("INVALID_ARGUMENT", `device.${member} cannot be changed.`);
    }
  }
}

/** The whole resource. */
export function formatDevice(record: DeviceRecord): Device {
  const { activity } = record;
  const credentials = record.keys.filter((key) => isVerifyingState(key.state)).map(formatCredential);
  return {
    id: record.deviceId,
    name: formatDeviceName({ ...record, device: record.numId }),
    numId: record.numId,
    ...(credentials.length === 0 ? {} : { credentials }),
    ...timeMember("lastHeartbeatTime", activity.heartbeatMs),
    ...timeMember("lastEventTime", activity.eventMs),
    ...timeMember("lastStateTime", activity.stateMs),
    ...timeMember("lastConfigAckTime", activity.configAckMs),
    ...timeMember("lastConfigSendTime", activity.configSendMs),
    ...(record.blocked ? { blocked: true } : {}),
    ...timeMember("lastErrorTime", activity.errorMs),
    ...(activity.errorCode === undefined
      ? {}
      : { lastErrorStatus: { code: activity.errorCode, message: activity.errorMessage ?? "" } }),
    config: formatConfig(record.config),
    ...(record.state === undefined ? {} : { state: formatState(record.state) }),
    ...(record.logLevel === "LOG_LEVEL_UNSPECIFIED" ? {} : { logLevel: record.logLevel }),
    ...(Object.keys(record.metadata).length === 0 ? {} : { metadata: record.metadata }),
    gatewayConfig: formatGatewayConfig(record),
  };
}

/** The resource under a field mask; without one, what a list shows: id, name, numId, gatewayConfig. */
export function formatMaskedDevice(
  record: DeviceRecord,
  mask: ReadonlySet<string> | undefined,
): Partial<Device> {
  const whole = Object.entries(formatDevice(record));
  const always = ["id", "name", "numId"];
  const shown = (name: string) => always.includes(name) || (mask?.has(name) ?? name === "gatewayConfig");
  return Object.fromEntries(whole.filter(([name]) => shown(name)));
}

function timeMember(name: string, ms: number | undefined): Readonly<Record<string, string>> {
  return ms === undefined ? {} : { [name]: formatMillis(ms) };
}

function formatCredential(key: KeyRecord): DeviceCredential {
  return {
    publicKey: { format: key.format, key: key.pem },
    expirationTime: key.expiresAtSeconds === undefined ? EPOCH : formatSeconds(key.expiresAtSeconds),
  };
}

function formatGatewayConfig(record: DeviceRecord): GatewayConfig {
  const { gatewayId, gatewayMs } = record.activity;
  return {
    ...(record.gatewayType === "GATEWAY_TYPE_UNSPECIFIED" ? {} : { gatewayType: record.gatewayType }),
    ...(record.gatewayAuthMethod === "GATEWAY_AUTH_METHOD_UNSPECIFIED"
      ? {}
      : { gatewayAuthMethod: record.gatewayAuthMethod }),
    ...(gatewayId === undefined ? {} : { lastAccessedGatewayId: gatewayId }),
    ...timeMember("lastAccessedGatewayTime", gatewayMs),
  };
}

export function formatConfig(config: DeviceConfigVersion): DeviceConfig {
  return {
    version: String(config.version),
    cloudUpdateTime: formatMillis(config.cloudUpdateMs),
    ...(config.deviceAckMs === undefined ? {} : { deviceAckTime: formatMillis(config.deviceAckMs) }),
    ...(config.binaryData.length === 0 ? {} : { binaryData: base64Encode(config.binaryData) }),
  };
}

export function formatState(state: DeviceStateVersion): DeviceState {
  return {
    updateTime: formatMillis(state.updateMs),
    ...(state.binaryData.length === 0 ? {} : { binaryData: base64Encode(state.binaryData) }),
  };
}
