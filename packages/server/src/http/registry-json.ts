/**
 * Registries between v1 JSON and the domain.
 *
 * Unspecified states of MQTT and HTTP behave as enabled, as they did in Cloud IoT Core.
 */
import { formatRegistryName } from "@mayfly/core";
import type { DeviceRegistry, HttpState, LogLevel, MqttState } from "@mayfly/core/admin";
import { policyPresets } from "@mayfly/core/token";
import type { KeyParser } from "../registry/key-parser.ts";
import { eventRetentionDefault, type RegistryRecord } from "../registry/model.ts";
import { EVENT_CONFIGS_MAX, REGISTRY_CREDENTIALS_MAX, type RegistryInput } from "../registry/registries.ts";
import type { RegistryPatch } from "../registry/store.ts";
import {
  findObject,
  findString,
  type JsonFields,
  readEnum,
  readObject,
  readObjects,
  readString,
} from "./json-fields.ts";
import { formatSeconds } from "./timestamps.ts";

export const logLevels = {
  LOG_LEVEL_UNSPECIFIED: 0,
  NONE: 10,
  ERROR: 20,
  INFO: 30,
  DEBUG: 40,
} satisfies Record<LogLevel, number>;

const mqttStates = {
  MQTT_STATE_UNSPECIFIED: 0,
  MQTT_ENABLED: 1,
  MQTT_DISABLED: 2,
} satisfies Record<MqttState, number>;

const httpStates = {
  HTTP_STATE_UNSPECIFIED: 0,
  HTTP_ENABLED: 1,
  HTTP_DISABLED: 2,
} satisfies Record<HttpState, number>;

const members = [
  "id",
  "name",
  "eventNotificationConfigs",
  "stateNotificationConfig",
  "mqttConfig",
  "httpConfig",
  "logLevel",
  "credentials",
];

/** What an update mask of a registry may name. */
export const registryMask = {
  id: "immutable",
  name: "immutable",
  eventNotificationConfigs: "eventNotificationConfigs",
  eventNotificationConfig: "eventNotificationConfigs",
  stateNotificationConfig: "stateNotificationTopic",
  "stateNotificationConfig.pubsubTopicName": "stateNotificationTopic",
  mqttConfig: "mqttEnabled",
  "mqttConfig.mqttEnabledState": "mqttEnabled",
  httpConfig: "httpEnabled",
  "httpConfig.httpEnabledState": "httpEnabled",
  logLevel: "logLevel",
  credentials: "credentials",
} as const;

export type RegistryField = Exclude<(typeof registryMask)[keyof typeof registryMask], "immutable">;

/** @throws {ApiError} INVALID_ARGUMENT */
export function readRegistryBody(body: unknown): JsonFields {
  return readObject(body ?? {}, "", members);
}

/** The registry a v1 create call asks for: preset `iot-core`, since only Cloud IoT Core's clients come this way. */
export function registryInputOf(fields: JsonFields): RegistryInput {
  return {
    policy: policyPresets["iot-core"],
    retention: eventRetentionDefault,
    ...v1FieldsOf(fields),
  };
}

/** Only the masked fields; one the body leaves out gets its default, which clears it. */
export function registryPatchOf(fields: JsonFields, mask: ReadonlySet<RegistryField>): RegistryPatch {
  const all = v1FieldsOf(fields);
  return {
    ...(mask.has("eventNotificationConfigs")
      ? { eventNotificationConfigs: all.eventNotificationConfigs }
      : {}),
    ...(mask.has("stateNotificationTopic") ? { stateNotificationTopic: all.stateNotificationTopic } : {}),
    ...(mask.has("mqttEnabled") ? { mqttEnabled: all.mqttEnabled } : {}),
    ...(mask.has("httpEnabled") ? { httpEnabled: all.httpEnabled } : {}),
    ...(mask.has("logLevel") ? { logLevel: all.logLevel } : {}),
    ...(mask.has("credentials") ? { credentials: all.credentials } : {}),
  };
}

/** What Mayfly's own routes take of a registry in v1's spelling; what is absent has v1's default. */
export function notificationFieldsOf(
  fields: JsonFields,
): Pick<RegistryInput, "logLevel" | "eventNotificationConfigs" | "stateNotificationTopic"> {
  const state = findObject(fields, "stateNotificationConfig", ["pubsubTopicName"]);
  return {
    logLevel: readEnum(fields, "logLevel", logLevels),
    eventNotificationConfigs: readObjects(
      fields,
      "eventNotificationConfigs",
      ["subfolderMatches", "pubsubTopicName"],
      EVENT_CONFIGS_MAX,
    ).map((config) => ({
      subfolderMatches: readString(config, "subfolderMatches"),
      pubsubTopicName: readString(config, "pubsubTopicName"),
    })),
    stateNotificationTopic: state === undefined ? "" : readString(state, "pubsubTopicName"),
  };
}

/** The same three as v1 prints them. */
export function formatNotificationFields(
  record: RegistryRecord,
): Pick<DeviceRegistry, "logLevel" | "eventNotificationConfigs" | "stateNotificationConfig"> {
  const topic = record.stateNotificationTopic;
  return {
    ...(record.eventNotificationConfigs.length === 0
      ? {}
      : {
          eventNotificationConfigs: record.eventNotificationConfigs.map((config) =>
            config.subfolderMatches === "" ? { pubsubTopicName: config.pubsubTopicName } : config,
          ),
        }),
    ...(topic === "" ? {} : { stateNotificationConfig: { pubsubTopicName: topic } }),
    ...(record.logLevel === "LOG_LEVEL_UNSPECIFIED" ? {} : { logLevel: record.logLevel }),
  };
}

function v1FieldsOf(fields: JsonFields): Omit<RegistryInput, "policy" | "retention"> {
  const mqtt = findObject(fields, "mqttConfig", ["mqttEnabledState"]);
  const http = findObject(fields, "httpConfig", ["httpEnabledState"]);
  return {
    mqttEnabled: mqtt === undefined || readEnum(mqtt, "mqttEnabledState", mqttStates) !== "MQTT_DISABLED",
    httpEnabled: http === undefined || readEnum(http, "httpEnabledState", httpStates) !== "HTTP_DISABLED",
    ...notificationFieldsOf(fields),
    credentials: readObjects(fields, "credentials", ["publicKeyCertificate"], REGISTRY_CREDENTIALS_MAX).map(
      (credential) => {
        const known = ["format", "certificate", "x509Details"];
        const certificate = findObject(credential, "publicKeyCertificate", known);
        return (certificate && findString(certificate, "certificate")) ?? "";
      },
    ),
  };
}

export function formatRegistry(record: RegistryRecord, keyParser: KeyParser): DeviceRegistry {
  const { logLevel, ...notifications } = formatNotificationFields(record);
  return {
    id: record.registry,
    name: formatRegistryName(record),
    ...notifications,
    mqttConfig: { mqttEnabledState: record.mqttEnabled ? "MQTT_ENABLED" : "MQTT_DISABLED" },
    httpConfig: { httpEnabledState: record.httpEnabled ? "HTTP_ENABLED" : "HTTP_DISABLED" },
    ...(logLevel === undefined ? {} : { logLevel }),
    ...(record.credentials.length === 0
      ? {}
      : { credentials: record.credentials.map((pem) => formatCertificate(pem, keyParser)) }),
  };
}

function formatCertificate(pem: string, keyParser: KeyParser) {
  const certificate = keyParser.parseCertificate(pem);
  return {
    publicKeyCertificate: {
      format: "X509_CERTIFICATE_PEM" as const,
      certificate: pem,
      x509Details: {
        issuer: certificate.issuer,
        subject: certificate.subject,
        startTime: formatSeconds(certificate.notBeforeSeconds),
        expiryTime: formatSeconds(certificate.notAfterSeconds),
        signatureAlgorithm: certificate.signatureAlgorithm,
        publicKeyType: certificate.publicKeyType,
      },
    },
  };
}
