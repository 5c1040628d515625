/**
 * Mayfly's own resources between JSON and the domain: policy and retention, keys, device details, sessions.
 */
import { formatRegistryName } from "@mayfly/core";
import type {
  AttestationView,
  DeviceDetails,
  DeviceKey,
  RegistryDetails,
  SessionAnswer,
} from "@mayfly/core/admin";
import { type KeyState, policyPresets, type RegistryPolicy } from "@mayfly/core/token";
import type { SessionView } from "../mqtt/bridge.ts";
import type { DeviceChange, DeviceKeyInput } from "../registry/devices.ts";
import type { KeyParser } from "../registry/key-parser.ts";
import type { KeyChange } from "../registry/key-set.ts";
import {
  type AttestationRecord,
  type DeviceActivity,
  type DeviceRecord,
  type EventRetention,
  eventRetentionDefault,
  type KeyRecord,
  type RegistryRecord,
} from "../registry/model.ts";
import { policyFrom, type RegistryInput } from "../registry/registries.ts";
import type { RegistryPatch } from "../registry/store.ts";
import { invalidField } from "./api-error.ts";
import { formatDevice, readPublicKeyFormat } from "./device-json.ts";
import { formatInstructionRecord } from "./instruction-json.ts";
import {
  findInteger,
  findObject,
  findString,
  findTimeSeconds,
  type JsonFields,
  readObject,
  readString,
} from "./json-fields.ts";
import { formatNotificationFields, notificationFieldsOf } from "./registry-json.ts";
import { formatMillis, formatSeconds } from "./timestamps.ts";

export const SLOT_MAX = 255;

const notificationMembers = ["eventNotificationConfigs", "stateNotificationConfig", "logLevel"];
const policyMembers = Object.keys(policyPresets.strict);
const chipSerialForm = /^[0-9a-f]{18}$/;
const keyIdForm = /^[A-Za-z0-9_-]{1,64}$/;

/** `{id, policy?, retention?, eventNotificationConfigs?, stateNotificationConfig?, logLevel?}`; the policy's base is `strict`. @throws {ApiError} INVALID_ARGUMENT */
export function readRegistryCreation(body: unknown): { readonly id: string; readonly input: RegistryInput } {
  const fields = readObject(body ?? {}, "", ["id", "policy", "retention", ...notificationMembers]);
  return {
    id: readString(fields, "id"),
    input: {
      policy: policyFrom(policyPresets.strict, readPolicyChange(fields) ?? {}),
      retention: { ...eventRetentionDefault, ...readRetention(fields) },
      mqttEnabled: true,
      httpEnabled: true,
      ...notificationFieldsOf(fields),
      credentials: [],
    },
  };
}

/**
 * `{policy?, retention?, eventNotificationConfigs?, stateNotificationConfig?, logLevel?}` over what is there.
 * @throws {ApiError} INVALID_ARGUMENT
 */
export function readRegistryChange(body: unknown, present: RegistryRecord): RegistryPatch {
  const fields = readObject(body ?? {}, "", ["policy", "retention", ...notificationMembers]);
  const { values } = fields;
  const { logLevel, eventNotificationConfigs, stateNotificationTopic } = notificationFieldsOf(fields);
  const policy = readPolicyChange(fields);
  const retention = readRetention(fields);
  return {
    ...(policy === undefined ? {} : { policy: policyFrom(present.policy, policy) }),
    ...(retention === undefined ? {} : { retention: { ...present.retention, ...retention } }),
    ...(values.has("logLevel") ? { logLevel } : {}),
    ...(values.has("eventNotificationConfigs") ? { eventNotificationConfigs } : {}),
    ...(values.has("stateNotificationConfig") ? { stateNotificationTopic } : {}),
  };
}

/** Names are checked here, values by core's `checkPolicy` when the whole policy is known. */
function readPolicyChange(fields: JsonFields): Partial<RegistryPolicy> | undefined {
  const policy = findObject(fields, "policy", policyMembers);
  if (policy === undefined) return undefined;
  const preset = policy.values.get("preset");
  if (preset !== undefined && preset !== "strict" && preset !== "iot-core") {
    throw invalidField("policy.preset", "policy.preset must be 'strict' or 'iot-core'.");
  }
  return Object.fromEntries(policy.values) as Partial<RegistryPolicy>;
}

function readRetention(fields: JsonFields): Partial<EventRetention> | undefined {
  const retention = findObject(fields, "retention", ["ageSeconds", "bytes"]);
  if (retention === undefined) return undefined;
  const ageSeconds = findInteger(retention, "ageSeconds", 0, Number.MAX_SAFE_INTEGER);
  const bytes = findInteger(retention, "bytes", 0, Number.MAX_SAFE_INTEGER);
  return {
    ...(ageSeconds === undefined ? {} : { ageSeconds }),
    ...(bytes === undefined ? {} : { bytes }),
  };
}

export function formatRegistryDetails(record: RegistryRecord): RegistryDetails {
  return {
    id: record.registry,
    name: formatRegistryName(record),
    numId: record.numId,
    policy: record.policy,
    retention: record.retention,
    ...formatNotificationFields(record),
    mqttEnabled: record.mqttEnabled,
    httpEnabled: record.httpEnabled,
    createTime: formatMillis(record.createdMs),
    updateTime: formatMillis(record.updatedMs),
  };
}

/** @throws {ApiError} INVALID_ARGUMENT */
export function readKeyCreation(body: unknown): DeviceKeyInput {
  const fields = readObject(body ?? {}, "", ["format", "key", "keyId", "slot", "state", "expirationTime"]);
  const keyId = findString(fields, "keyId");
  if (keyId !== undefined && !keyIdForm.test(keyId)) {
    throw invalidField("key_id", "A keyId has 1 to 64 of A-Z a-z 0-9 - _.");
  }
  const state = findString(fields, "state");
  if (state !== undefined && state !== "pending" && state !== "active") {
    throw invalidField("state", "A new key is 'pending' or 'active'.");
  }
  const slot = findInteger(fields, "slot", 0, SLOT_MAX);
  const expiresAtSeconds = findTimeSeconds(fields, "expirationTime") ?? undefined;
  return {
    format: readPublicKeyFormat(fields),
    pem: readString(fields, "key"),
    ...(keyId === undefined ? {} : { keyId }),
    ...(slot === undefined ? {} : { slot }),
    ...(state === undefined ? {} : { state }),
    ...(expiresAtSeconds === undefined ? {} : { expiresAtSeconds }),
  };
}

const statesToEnter = ["active", "retiring", "retired", "revoked"] as const satisfies readonly KeyState[];

/** @throws {ApiError} INVALID_ARGUMENT */
export function readKeyChange(body: unknown): KeyChange {
  const fields = readObject(body ?? {}, "", ["state", "slot", "expirationTime"]);
  const text = findString(fields, "state");
  const state = statesToEnter.find((one) => one === text);
  if (text !== undefined && state === undefined) {
    throw invalidField("state", `A key's state can be set to: ${statesToEnter.join(", ")}.`);
  }
  const slot = findInteger(fields, "slot", 0, SLOT_MAX);
  const expiresAtSeconds = findTimeSeconds(fields, "expirationTime");
  return {
    ...(state === undefined ? {} : { state }),
    ...(slot === undefined ? {} : { slot }),
    ...(expiresAtSeconds === undefined ? {} : { expiresAtSeconds }),
  };
}

export function formatKey(key: KeyRecord, activity: DeviceActivity): DeviceKey {
  return {
    keyId: key.keyId,
    ...(key.slot === undefined ? {} : { slot: key.slot }),
    state: key.state,
    format: key.format,
    key: key.pem,
    fingerprint: key.fingerprint,
    ...(key.expiresAtSeconds === undefined ? {} : { expirationTime: formatSeconds(key.expiresAtSeconds) }),
    createTime: formatMillis(key.createdMs),
    ...(activity.keyId === key.keyId && activity.keyUsedMs !== undefined
      ? { lastUsedTime: formatMillis(activity.keyUsedMs) }
      : {}),
  };
}

export function formatDeviceDetails(record: DeviceRecord): DeviceDetails {
  const { tokensNotBeforeSeconds: notBefore, instruction, attestation } = record;
  return {
    device: formatDevice(record),
    keys: record.keys.map((key) => formatKey(key, record.activity)),
    ...(notBefore === undefined ? {} : { tokensNotBefore: formatSeconds(notBefore) }),
    ...(instruction === undefined ? {} : { instruction: formatInstructionRecord(instruction) }),
    ...(attestation === undefined ? {} : { attestation: formatAttestation(attestation) }),
  };
}

function formatAttestation({ chipSerial, slot, pem }: AttestationRecord): AttestationView {
  return { chipSerial, slot, key: pem };
}

/**
 * `{tokensNotBefore?, attestation?}`, one of them at least; `null` (of the first also the epoch) clears.
 * @throws {ApiError} INVALID_ARGUMENT @throws {KeyParseError} The attestation key is none.
 */
export function readDeviceDetailsChange(body: unknown, keyParser: Pick<KeyParser, "parseKey">): DeviceChange {
  const fields = readObject(body ?? {}, "", ["tokensNotBefore", "attestation"]);
  const seconds = isNull(body, "tokensNotBefore") ? null : findTimeSeconds(fields, "tokensNotBefore");
  const attestation = isNull(body, "attestation") ? null : readAttestation(fields, keyParser);
  if (seconds === undefined && attestation === undefined) {
    throw invalidField("tokens_not_before", "tokensNotBefore or attestation must be given, or null.");
  }
  return {
    ...(seconds === undefined ? {} : { tokensNotBeforeSeconds: seconds }),
    ...(attestation === undefined ? {} : { attestation }),
  };
}

function readAttestation(
  fields: JsonFields,
  keyParser: Pick<KeyParser, "parseKey">,
): AttestationRecord | undefined {
  const given = findObject(fields, "attestation", ["chipSerial", "slot", "key"]);
  if (given === undefined) return undefined;
  const chipSerial = readString(given, "chipSerial");
  if (!chipSerialForm.test(chipSerial)) {
    throw invalidField("attestation.chip_serial", "A chipSerial has 18 lower-case hexadecimal digits.");
  }
  const slot = findInteger(given, "slot", 0, 15);
  if (slot === undefined)
    throw invalidField("attestation.slot", "The slot of the attestation key is 0 to 15.");
  const pem = readString(given, "key");
  keyParser.parseKey("ES256_PEM", pem);
  return { chipSerial, slot, pem };
}

// What was read as absent may have been null.
function isNull(body: unknown, name: string): boolean {
  return (
    typeof body === "object" &&
    body !== null &&
    Object.entries(body).some(([n, v]) => n === name && v === null)
  );
}

export function formatSession(view: SessionView | undefined): SessionAnswer {
  if (view === undefined) return { connected: false };
  const { link, principal } = view;
  return {
    connected: true,
    session: {
      connectTime: formatMillis(view.connectedMs),
      protocolVersion: view.protocolVersion,
      remoteAddress: link.remoteAddress,
      ...(link.tlsVersion === undefined ? {} : { tlsVersion: link.tlsVersion }),
      keyId: principal.keyId,
      deadlineTime: formatSeconds(view.deadlineSeconds),
      subscribedToConfig: view.subscriptions.includes("config"),
      subscribedToCommands: view.subscriptions.includes("commands"),
    },
  };
}
