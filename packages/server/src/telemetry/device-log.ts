/**
 * The device log: what devices did, as far as their log level asks for it (cloud-iot-core.md §4.9).
 *
 * ERROR records failures, INFO connections too, DEBUG everything; a device that has no level has its registry's, and
 * NONE costs one comparison. Entries live in memory only: the latest 100 of each of the 1,000 devices that were logged
 * last, and a live stream. It is for looking at, best effort: nobody waits for it, and a restart empties it. Never a
 * payload, a token or a key.
 *
 * Refused authentications are not in it: nobody has shown to be the device (`auth/attempt-book.ts` keeps those).
 */
import type { Clock } from "@mayfly/core";
import type { DeviceLogPayload, DeviceLogSeverity } from "@mayfly/core/admin";
import type { DevicePrincipal } from "../auth/admission.ts";
import { BoundedMap } from "../auth/bounded-map.ts";
import type { LogLevel, RegistryIdentity, RegistryRef } from "../registry/model.ts";
import type { IntakeOutcome, IntakeRefusal } from "./intake.ts";

/** Entries kept of one device, about 300 bytes each. */
export const deviceLogEntriesMax = 100;
/** Devices entries are kept of. */
export const deviceLogDevicesMax = 1_000;

export interface LogStatus {
  /** google.rpc.Code. */
  readonly code: number;
  readonly message: string;
}

/** What is recorded; `status` absent where it went well. */
export interface DeviceLogEvent extends Omit<DeviceLogPayload, "serviceName" | "status"> {
  readonly status?: LogStatus;
}

export interface LoggedEvent {
  readonly registry: RegistryRef;
  readonly deviceId: string;
  readonly deviceNumId: string;
  readonly atMs: number;
  readonly severity: DeviceLogSeverity;
  readonly event: DeviceLogEvent;
}

type Logged = Pick<DevicePrincipal, "registry" | "registryNumId" | "deviceId" | "deviceNumId" | "logLevel">;

const ranks = {
  LOG_LEVEL_UNSPECIFIED: 0,
  NONE: 0,
  ERROR: 1,
  INFO: 2,
  DEBUG: 3,
} as const satisfies Record<LogLevel, number>;

/** Why the intake did not take a message, as google.rpc.Code. */
const refusalCodes = {
  queue_full: 14,
  disk_full: 14,
  closed: 14,
  store_failed: 14,
  device_gone: 5,
  payload_too_large: 3,
} as const satisfies Record<IntakeRefusal, number>;

const overRate: LogStatus = { code: 8, message: "The message was dropped: the device sends too many." };

export class DeviceLog {
  readonly #clock: Pick<Clock, "wallSeconds">;
  readonly #devices: BoundedMap<string, LoggedEvent[]>;
  readonly #listeners = new Map<string, Set<(event: LoggedEvent) => void>>();

  constructor(clock: Pick<Clock, "wallSeconds">, devicesMax = deviceLogDevicesMax) {
    this.#clock = clock;
    this.#devices = new BoundedMap(devicesMax);
  }

  /** Devices entries are kept of. */
  get size(): number {
    return this.#devices.size;
  }

  /** The latest entries of a device, oldest first. */
  list(deviceNumId: string): readonly LoggedEvent[] {
    return [...(this.#devices.find(deviceNumId) ?? [])];
  }

  /** Entries of a registry's devices as they are made; a slow listener is never waited for. @returns stop. */
  follow(registry: Pick<RegistryIdentity, "numId">, listener: (event: LoggedEvent) => void): () => void {
    const own = (event: LoggedEvent) => listener(event);
    const some = this.#listeners.get(registry.numId) ?? new Set();
    this.#listeners.set(registry.numId, some.add(own));
    return () => {
      some.delete(own);
      if (some.size === 0 && this.#listeners.get(registry.numId) === some) {
        this.#listeners.delete(registry.numId);
      }
    };
  }

  /** Records `event` where the device's level asks for `severity`; a failure is an ERROR whatever is said. */
  record(device: Logged, severity: DeviceLogSeverity, event: DeviceLogEvent): void {
    const level: DeviceLogSeverity = event.status === undefined ? severity : "ERROR";
    if (ranks[device.logLevel] < ranks[level]) return;
    const { registry, deviceId, deviceNumId } = device;
    const atMs = Math.floor(this.#clock.wallSeconds() * 1000);
    const logged: LoggedEvent = { registry, deviceId, deviceNumId, atMs, severity: level, event };
    const entries = this.#devices.find(deviceNumId);
    if (entries === undefined) this.#devices.set(deviceNumId, [logged]);
    else if (entries.push(logged) > deviceLogEntriesMax) entries.shift();
    for (const listener of this.#listeners.get(device.registryNumId) ?? []) listener(logged);
  }

  connected(device: Logged): void {
    if (ranks[device.logLevel] < ranks.INFO) return;
    this.record(device, "INFO", { eventType: "CONNECT", protocol: "MQTT" });
  }

  disconnected(device: Logged, disconnectType: "SERVER" | "CLIENT", status: LogStatus | undefined): void {
    if (ranks[device.logLevel] < ranks.ERROR) return;
    this.record(device, "INFO", {
      ...{ eventType: "DISCONNECT", protocol: "MQTT", disconnectType },
      ...(status === undefined ? {} : { status }),
    });
  }

  /** A message of the device was taken, refused by the store, or dropped for its rate. */
  published(
    device: Logged,
    protocol: "MQTT" | "HTTP",
    kind: "events" | "state",
    outcome: IntakeOutcome | { readonly kind: "rate_limited" },
    gatewayId?: string,
  ): void {
    if (ranks[device.logLevel] < (outcome.kind === "durable" ? ranks.DEBUG : ranks.ERROR)) return;
    const status = statusOf(outcome);
    this.record(device, "DEBUG", {
      eventType: "PUBLISH",
      protocol,
      publishFromDeviceTopicType: kind === "events" ? "EVENTS" : "STATE",
      ...(status === undefined ? {} : { status }),
      ...(gatewayId === undefined ? {} : { gateway: { id: gatewayId } }),
    });
  }

  /** A config or command left for the device (PUBLISH), or was acknowledged by it (PUBACK). */
  downlink(device: Logged, eventType: "PUBLISH" | "PUBACK", kind: "config" | "command"): void {
    if (ranks[device.logLevel] < ranks.DEBUG) return;
    const publishToDeviceTopicType = kind === "config" ? "CONFIG" : "COMMANDS";
    this.record(device, "DEBUG", { eventType, protocol: "MQTT", publishToDeviceTopicType });
  }

  /** A gateway attached the device, or attached it again with its next token. */
  attached(device: Logged, gatewayId: string): void {
    if (ranks[device.logLevel] < ranks.DEBUG) return;
    this.record(device, "DEBUG", {
      ...{ eventType: "ATTACH_TO_GATEWAY", protocol: "MQTT", gateway: { id: gatewayId } },
    });
  }

  /** @param status why, where it was not the gateway's wish. */
  detached(device: Logged, gatewayId: string, status: LogStatus | undefined): void {
    if (ranks[device.logLevel] < (status === undefined ? ranks.DEBUG : ranks.ERROR)) return;
    this.record(device, "DEBUG", {
      ...{ eventType: "DETACH_FROM_GATEWAY", protocol: "MQTT", gateway: { id: gatewayId } },
      ...(status === undefined ? {} : { status }),
    });
  }

  /** @param reasonCode as the SUBACK has it: 0x80 and above, it was refused. */
  subscribed(device: Logged, mqttTopic: string, reasonCode: number): void {
    if (ranks[device.logLevel] < (reasonCode < 0x80 ? ranks.DEBUG : ranks.ERROR)) return;
    const status = { code: 3, message: "The subscription was refused." };
    this.record(device, "DEBUG", {
      ...{ eventType: "SUBSCRIBE", protocol: "MQTT", mqttTopic },
      ...(reasonCode < 0x80 ? {} : { status }),
    });
  }
}

function statusOf(outcome: IntakeOutcome | { readonly kind: "rate_limited" }): LogStatus | undefined {
  if (outcome.kind === "durable") return undefined;
  if (outcome.kind === "rate_limited") return overRate;
  return { code: refusalCodes[outcome.because], message: `The message was not stored: ${outcome.because}.` };
}
