/** Who may be bound to whom, and how a refusal reads: the same in every store. */
import type { DeviceRecord } from "../registry/model.ts";
import { StoreError } from "../registry/store.ts";

type BoundFacts = Pick<DeviceRecord, "deviceId" | "gatewayType">;

/** @throws {StoreError} not_gateway, is_gateway */
export function refuseUnbindable(gateway: BoundFacts, device: BoundFacts): void {
  if (gateway.gatewayType !== "GATEWAY") {
    throw new StoreError("not_gateway", `device ${gateway.deviceId} is no gateway`);
  }
  if (device.gatewayType === "GATEWAY") {
    throw new StoreError("is_gateway", `device ${device.deviceId} is a gateway, which is bound to none`);
  }
}

export function gatewayIsFull(gatewayId: string, max: number): StoreError {
  return new StoreError("too_many_bound", `gateway ${gatewayId} has ${max} devices, and no gateway has more`);
}

export function deviceIsFull(deviceId: string, max: number): StoreError {
  return new StoreError("too_many_bound", `device ${deviceId} has ${max} gateways, and no device has more`);
}

export function bindingNotFound(gateway: string, device: string): StoreError {
  return new StoreError("not_found", `device ${device} is not bound to gateway ${gateway}`);
}

export function isBoundStill(deviceId: string): StoreError {
  return new StoreError(
    "bound",
    `device ${deviceId} is bound to a gateway, or devices are bound to it: unbind first`,
  );
}
