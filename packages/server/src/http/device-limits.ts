/**
 * A device's rates as the HTTP APIs say them: 429 RESOURCE_EXHAUSTED, and in how many seconds to come again.
 */
import type { DeviceRef } from "../registry/model.ts";
import type { RegistryService } from "../registry/service.ts";
import type { DeviceRates, RatedDevice } from "../telemetry/device-rates.ts";
import { ApiError } from "./api-error.ts";

/** @param waitMillis as {@link DeviceRates} answers. @throws {ApiError} RESOURCE_EXHAUSTED unless it is 0. */
export function refuseOverRate(waitMillis: number, sentence: string): void {
  if (waitMillis === 0) return;
  // Whole seconds (RFC 9110 §10.2.3), never too few.
  const headers = { "retry-after": String(Math.ceil(waitMillis / 1000)) };
  throw new ApiError("RESOURCE_EXHAUSTED", sentence, { headers });
}

/** What an operator's programs may send a device a second. */
export interface DeviceLimits {
  /** @throws {ApiError} RESOURCE_EXHAUSTED. @throws {RegistryError} not_found */
  config(device: DeviceRef): Promise<void>;
  /** @throws as for a config. */
  command(device: DeviceRef): Promise<void>;
}

export function createDeviceLimits(ports: {
  readonly service: Pick<RegistryService, "registries" | "devices">;
  readonly rates: Pick<DeviceRates, "takeConfig" | "takeCommand">;
}): DeviceLimits {
  const { registries, devices } = ports.service;

  async function rated(ref: DeviceRef): Promise<RatedDevice> {
    const { numId: deviceNumId } = await devices.get(ref);
    return { deviceNumId, policy: (await registries.get(ref)).policy };
  }

  return {
    async config(ref) {
      const wait = ports.rates.takeConfig(await rated(ref));
      refuseOverRate(wait, `The config of device '${ref.device}' is changed too often.`);
    },
    async command(ref) {
      const wait = ports.rates.takeCommand(await rated(ref));
      refuseOverRate(wait, `Device '${ref.device}' is sent too many commands.`);
    },
  };
}
