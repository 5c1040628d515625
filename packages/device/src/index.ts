/**
 * Front door of the device agent. Nothing behind it knows a host; adapters for Node are at
 * `@mayfly/device/node`.
 */
export { type Agent, createAgent } from "./agent.ts";
export type { AgentHandlers } from "./downlink.ts";
export { createDeviceKeys, type DeviceKeysPorts, deviceKeysMax, type SlotSigner } from "./key/device-keys.ts";
export type { KeyChoice, KeyEvent } from "./key/key-choice.ts";
export type { KeyMaker, NewKey } from "./key/key-offering.ts";
export { createMemoryStore } from "./memory-store.ts";
export { AgentOptionError, type AgentOptions, type OutboxBounds } from "./options.ts";
export type { PublishOutcome } from "./outbox.ts";
export type {
  AgentPorts,
  AgentSigner,
  Connect,
  DatagramEvents,
  DatagramLink,
  DeviceTime,
  Es256MessageSigner,
  I2cBus,
  LinkEvents,
  OpenDatagram,
  Readiness,
  SmallStore,
  TimeHint,
} from "./ports.ts";
export type { PublishAnswer, PublishOptions, PublishRefusal } from "./publisher.ts";
export { agentUserName } from "./session/changeover.ts";
export type { RefusalAction } from "./session/refusal.ts";
export { SmallStoreError, type SmallStoreErrorCode } from "./small-store-rules.ts";
export type { AgentEvent, AgentState, AgentStatus, RenewalKind } from "./status.ts";
export { clockTime } from "./time/clock-time.ts";
export type { TimeSample } from "./time/time-sample.ts";
