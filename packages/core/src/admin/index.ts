/**
 * Front door of `@mayfly/core/admin`: the admin API's wire types, its error shape and a typed client.
 */
export type { AdminClient, AdminClientOptions, AdminFetch, AdminResponse } from "./client.ts";
export { createAdminClient } from "./client.ts";
export type {
  DeviceLogEntry,
  DeviceLogEventType,
  DeviceLogLine,
  DeviceLogPayload,
  DeviceLogSeverity,
} from "./device-log.ts";
export type { CanonicalStatus, ErrorBody } from "./error.ts";
export { AdminApiError, canonicalStatuses, isCanonicalStatus, parseErrorBody } from "./error.ts";
export { JSON_LINE_BYTES_MAX, readJsonLines } from "./json-lines.ts";
export type {
  AttestationView,
  AuthenticationAttempt,
  AuthenticationEvidence,
  AuthenticationLog,
  ClockOffsetView,
  DeviceDetails,
  DeviceDetailsChange,
  DeviceKey,
  DeviceKeyChange,
  DeviceKeyCreation,
  InstructionOrderInput,
  InstructionView,
  PolicyInput,
  RegistryChangeInput,
  RegistryCreation,
  RegistryDetails,
  RegistryDetailsPage,
  RetentionView,
  SessionAnswer,
  SessionDetails,
} from "./mayfly-resources.ts";
export { devicePath, formatQuery, keyPath, locationPath, registryPath, subscriptionPath } from "./paths.ts";
export type {
  DevicePresence,
  DevicePresencePage,
  PresenceChangeView,
  PresenceFilter,
  PresenceLine,
  PresenceListRequest,
  PresenceView,
} from "./presence.ts";
export type {
  Device,
  DeviceConfig,
  DeviceCreation,
  DeviceCredential,
  DeviceListRequest,
  DevicePage,
  DevicePath,
  DeviceRegistry,
  DeviceState,
  DeviceUpdate,
  EventNotificationConfig,
  GatewayAuthMethod,
  GatewayConfig,
  GatewayType,
  HttpState,
  LocationPath,
  LogLevel,
  MqttState,
  PageRequest,
  PublicKeyFormat,
  RegistryCredential,
  RegistryPath,
  StatusMessage,
} from "./resources.ts";
export type {
  PubsubMessage,
  PulledMessage,
  PullRequest,
  SubscriptionCreation,
  SubscriptionPath,
  SubscriptionView,
  TailLine,
} from "./subscriptions.ts";
