/**
 * Bindings of devices to gateways in memory, by their numIds, which are never used twice.
 *
 * Kept from both sides, so that neither question walks over all devices. Who may be bound to whom is decided by the
 * facts handed in; what is recorded of the change is the store's.
 */
import type { BindingLimits } from "../../registry/gateway-store.ts";
import type { DeviceRecord } from "../../registry/model.ts";
import { deviceIsFull, gatewayIsFull, refuseUnbindable } from "../binding-rules.ts";

type BoundFacts = Pick<DeviceRecord, "numId" | "deviceId" | "gatewayType">;

export class MemoryBindings {
  readonly #limits: BindingLimits;
  readonly #devicesOf = new Map<string, Set<string>>();
  readonly #gatewaysOf = new Map<string, Set<string>>();

  constructor(limits: BindingLimits) {
    this.#limits = limits;
  }

  /** @returns whether it is new. @throws {StoreError} not_gateway, is_gateway, too_many_bound */
  bind(gateway: BoundFacts, device: BoundFacts): boolean {
    refuseUnbindable(gateway, device);
    if (this.has(gateway.numId, device.numId)) return false;
    const devices = this.#devicesOf.get(gateway.numId) ?? new Set();
    const gateways = this.#gatewaysOf.get(device.numId) ?? new Set();
    const { boundDevicesMax, gatewaysPerDeviceMax } = this.#limits;
    if (devices.size >= boundDevicesMax) throw gatewayIsFull(gateway.deviceId, boundDevicesMax);
    if (gateways.size >= gatewaysPerDeviceMax) throw deviceIsFull(device.deviceId, gatewaysPerDeviceMax);
    this.#devicesOf.set(gateway.numId, devices.add(device.numId));
    this.#gatewaysOf.set(device.numId, gateways.add(gateway.numId));
    return true;
  }

  /** @returns whether there was such a binding. */
  unbind(gatewayNumId: string, deviceNumId: string): boolean {
    if (!this.has(gatewayNumId, deviceNumId)) return false;
    removeFrom(this.#devicesOf, gatewayNumId, deviceNumId);
    removeFrom(this.#gatewaysOf, deviceNumId, gatewayNumId);
    return true;
  }

  has(gatewayNumId: string, deviceNumId: string): boolean {
    return this.#gatewaysOf.get(deviceNumId)?.has(gatewayNumId) ?? false;
  }

  /** Whether a device has gateways, or a gateway devices. */
  isBound(numId: string): boolean {
    return this.#devicesOf.has(numId) || this.#gatewaysOf.has(numId);
  }
}

function removeFrom(map: Map<string, Set<string>>, key: string, value: string): void {
  const values = map.get(key);
  values?.delete(value);
  if (values?.size === 0) map.delete(key);
}
