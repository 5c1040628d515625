/**
 * When this device was last seen doing what, on the way to the registry: noted in memory, told at most once
 * a second, so that a message never costs a write of its own.
 */
import type { Clock } from "@mayfly/core";
import type { DeviceActivity, DeviceRef } from "../registry/model.ts";
import type { RegistryStore } from "../registry/store.ts";
import { activityIntervalMillis } from "./limits.ts";

type Instant = "heartbeatMs" | "eventMs" | "stateMs" | "configSendMs" | "configAckMs" | "keyUsedMs";

export class ActivityNotes {
  readonly #clock: Clock;
  readonly #registry: Pick<RegistryStore, "recordActivity">;
  readonly #device: DeviceRef;
  #noted: { -readonly [K in keyof DeviceActivity]: DeviceActivity[K] } | undefined;
  #toldMillis = Number.NEGATIVE_INFINITY;

  constructor(
    ports: { readonly clock: Clock; readonly registry: Pick<RegistryStore, "recordActivity"> },
    device: DeviceRef,
  ) {
    this.#clock = ports.clock;
    this.#registry = ports.registry;
    this.#device = device;
  }

  /** When the notes want to be told; infinite while there are none. */
  get dueMillis(): number {
    return this.#noted === undefined ? Number.POSITIVE_INFINITY : this.#toldMillis + activityIntervalMillis;
  }

  /** @returns whether these are the first notes since they were last told, so that a time must be set. */
  note(what: Instant): boolean {
    const isFirst = this.#noted === undefined;
    this.#noted ??= {};
    this.#noted[what] = this.#wallMillis();
    return isFirst;
  }

  noteKey(keyId: string): void {
    this.note("keyUsedMs");
    this.#noted = { ...this.#noted, keyId };
  }

  /** A gateway spoke for the device. */
  noteGateway(gatewayId: string): void {
    this.#noted = { ...this.#noted, gatewayId, gatewayMs: this.#wallMillis() };
  }

  noteError(status: { readonly code: number; readonly message: string }): void {
    this.#noted = {
      ...this.#noted,
      errorMs: this.#wallMillis(),
      errorCode: status.code,
      errorMessage: status.message,
    };
  }

  tell(nowMillis: number): void {
    const activity = this.#noted;
    if (activity === undefined) return;
    this.#noted = undefined;
    this.#toldMillis = nowMillis;
    this.#registry.recordActivity({ device: this.#device, activity });
  }

  #wallMillis(): number {
    return Math.floor(this.#clock.wallSeconds() * 1000);
  }
}
