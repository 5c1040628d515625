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
export { AgentOptionError, type AgentOptions } from "./options.ts";
export type { OutboxBounds, OutboxContents, PublishOutcome } from "./outbox.ts";
export { createSpillOutbox, type SpillOutbox, type SpillReport } from "./outbox-spill.ts";
export type { Durability, OutboxOpening, OutboxStore, OutboxStoreRefusal } from "./outbox-store.ts";
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
export type { BackoffCause } from "./session/backoff.ts";
export { agentUserName } from "./session/changeover.ts";
export type { RefusalAction } from "./session/refusal.ts";
export type { WireSettings } from "./session/wire-settings.ts";
export { SmallStoreError, type SmallStoreErrorCode } from "./small-store-rules.ts";
export type { AgentEvent, AgentState, AgentStatus, AgentTrouble, RenewalKind } from "./status.ts";
export { type AgingDecision, decideAging } from "./time/aging-discipline.ts";
export type { WaitingCode } from "./time/believed-time.ts";
export { clockTime } from "./time/clock-time.ts";
export type { DatagramPeer } from "./time/datagram-exchange.ts";
export {
  type DriftEstimate,
  DriftFit,
  type DriftSample,
  type DriftSampleOutcome,
  decodeDriftFit,
  encodeDriftFit,
} from "./time/drift-fit.ts";
export {
  Ds3231,
  type Ds3231AgingAnswer,
  type Ds3231Reading,
  type Ds3231SetAnswer,
  type Ds3231Trouble,
} from "./time/ds3231/ds3231.ts";
export type { Ds3231Ports } from "./time/ds3231/ds3231-link.ts";
export type { NtpSource, SignedSource } from "./time/network-sources.ts";
export type { ClockChip, RtcState } from "./time/rtc-keeper.ts";
export {
  SignedTimeClient,
  type SignedTimeNone,
  type SignedTimeOptions,
  type SignedTimeOutcome,
  type SignedTimePorts,
} from "./time/signed/signed-time-client.ts";
export {
  SntpClient,
  type SntpNone,
  type SntpOptions,
  type SntpPorts,
  type SntpRound,
  type SntpServerStatus,
} from "./time/sntp/sntp-client.ts";
export type { SntpServerNews } from "./time/sntp/sntp-server.ts";
export {
  createTimeKeeper,
  type TimeKeeper,
  type TimeKeeperOptions,
  type TimeKeeperPorts,
} from "./time/time-keeper.ts";
export type { TimeSample } from "./time/time-sample.ts";
export type { RtcStatus, TimeEvent, TimeStatus } from "./time/time-status.ts";
export { timeWords } from "./time/time-words.ts";
export type { Basis, SourceKind, Trust } from "./time/trust-rules.ts";
