/**
 * Front door of the server: the MQTT bridge as a pure machine, the domain's values and ports, and adapters
 * that live in memory. What needs Node's clock, disk or sockets enters by `@mayfly/server/node`.
 */

export {
  type Admission,
  type AdmissionObserver,
  type AdmissionOutcome,
  type AdmissionPorts,
  type AdmissionRequest,
  createAdmission,
  type DevicePrincipal,
} from "./auth/admission.ts";
export { type AlarmFacts, type AlarmKind, alarmIntervalMillis, alarmKinds } from "./auth/alarm.ts";
export type { AttemptObserver } from "./auth/attempt-book.ts";
export type {
  AttemptRecord,
  AuthenticationRecord,
  AuthenticationUpdate,
  EvidenceRecord,
  PeerFacts,
} from "./auth/authentication-record.ts";
export { type ImportedKey, KeyImportError, type KeyVerifier } from "./auth/key-verifier.ts";
export { type Rejudgement, type RightEnd, rejudge } from "./auth/rejudgement.ts";
export { createMemoryBackbone, type MemoryBackbone } from "./backbone/memory/index.ts";
export {
  type Bridge,
  type BridgeCounts,
  type BridgeOptions,
  type BridgePorts,
  type CommandOutcome,
  createBridge,
  type SessionView,
} from "./mqtt/bridge.ts";
export { type CloseReason, closeReasons } from "./mqtt/close-reason.ts";
export type { BridgeObserver, ConnectRefusal, LinkFacts } from "./mqtt/observer.ts";
export { createPresenceTeller, type PresenceTeller } from "./mqtt/presence-teller.ts";
export { lingerMillis, type Presence, type PresenceEvent } from "./presence/presence.ts";
export { createPresence, type PresenceService } from "./presence/presence-service.ts";
export { createKeyReports, type KeyOfferPorts } from "./registry/key-offers.ts";
export {
  KeyParseError,
  type KeyParseErrorCode,
  type KeyParser,
  type ParsedKey,
} from "./registry/key-parser.ts";
export {
  type AdmissionRecord,
  type DeviceActivity,
  type DeviceConfigVersion,
  type DeviceRecord,
  type DeviceRef,
  type DeviceStateVersion,
  type EventRetention,
  eventRetentionDefault,
  type KeyRecord,
  type RegistryChange,
  type RegistryRecord,
  type RegistryRef,
} from "./registry/model.ts";
export { createPlaces } from "./registry/places.ts";
export { createRegistryService, type RegistryService } from "./registry/service.ts";
export {
  type ActivityUpdate,
  type AdminTokenRecord,
  type DevicePatch,
  type Page,
  type RegistryPatch,
  type RegistryStore,
  StoreError,
  type StoreErrorCode,
  type StoreStatus,
} from "./registry/store.ts";
export { createMemoryRegistryStore } from "./store/memory/index.ts";
export type {
  AppendOutcome,
  Backbone,
  BackboneStatus,
  ReceivedMessage,
  Subscription,
  TelemetryMessage,
} from "./telemetry/backbone.ts";
export {
  createIntake,
  type DeviceEvent,
  eventBytesMax,
  type Intake,
  type IntakeOutcome,
  type IntakeRefusal,
  stateBytesMax,
} from "./telemetry/intake.ts";
export {
  createTimeAnswerer,
  type OnlineTimeKey,
  type OwnClock,
  type TimeAnswerer,
  type TimeAnswererPorts,
  type TimeObserver,
  type TimeOutcome,
  type TimeRefusal,
  type TimeWay,
} from "./time/time-answerer.ts";
