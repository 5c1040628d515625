/**
 * Which devices a gateway may speak for, as the domain needs it of a store.
 *
 * A binding joins two devices of one registry. It is asked for when a device is attached, beside what an admission
 * asks, and a change of it is told like every change of the registry (`device_bound`, `device_unbound`, with the
 * device and the gateway).
 */
import type { AdmissionRecord, DeviceRef, RegistryRef } from "./model.ts";
import type { LookUp } from "./store.ts";

/** cloud-iot-core.md §8. */
export const boundDevicesMax = 10_000;
export const gatewaysPerDeviceMax = 10;

/** How many bindings there may be; other than the contract's for a test of the bound. */
export interface BindingLimits {
  readonly boundDevicesMax: number;
  readonly gatewaysPerDeviceMax: number;
}

export const bindingLimits: BindingLimits = { boundDevicesMax, gatewaysPerDeviceMax };

/** What an attach needs. */
export interface AttachmentRecord extends AdmissionRecord {
  /** Whether the device is bound to the gateway that asks. */
  readonly isBound: boolean;
}

export interface GatewayStore {
  /**
   * Binding what is bound changes nothing, and is no change. Both by string id or numId. A device that is bound, or
   * that devices are bound to, is not deleted before it is unbound.
   * @throws {StoreError} not_found; not_gateway (the first is none); is_gateway (the second is one, which is bound to
   *   none); too_many_bound (10,000 devices, or 10 gateways)
   */
  bindDevice(registry: RegistryRef, gateway: string, device: string): Promise<void>;
  /** @throws {StoreError} not_found, a binding that is not there too */
  unbindDevice(registry: RegistryRef, gateway: string, device: string): Promise<void>;
  /** The path of an attach: one read. @param gateway by string id. May answer synchronously. */
  lookUpAttachment(
    device: DeviceRef,
    gateway: string,
    answer: (record: LookUp<AttachmentRecord>) => void,
  ): void;
}
