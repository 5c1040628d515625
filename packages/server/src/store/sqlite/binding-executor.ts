/**
 * Carries out what concerns bindings of devices to gateways, for the registry's executor and in its transaction.
 *
 * The rows join two devices of one registry, since both are looked up in it; SQLite itself would refuse to delete a
 * device that has one.
 */
import type { DeviceRecord, DeviceRef, RegistryChange, RegistryRef } from "../../registry/model.ts";
import { bindingNotFound, deviceIsFull, gatewayIsFull, refuseUnbindable } from "../binding-rules.ts";
import type { CommandOf } from "./registry-commands.ts";
import type { Statements } from "./statements.ts";

interface FoundDevice {
  readonly pk: number;
  readonly deviceId: string;
}

export interface BindingExecutorPorts {
  /** @throws {StoreError} not_found */
  getDevice(ref: DeviceRef): FoundDevice;
  log(
    kind: RegistryChange["kind"],
    ref: RegistryRef,
    atMs: number,
    deviceId: string,
    gatewayId: string,
  ): void;
}

export class BindingExecutor {
  readonly #statements: Statements;
  readonly #ports: BindingExecutorPorts;

  constructor(statements: Statements, ports: BindingExecutorPorts) {
    this.#statements = statements;
    this.#ports = ports;
  }

  bind({ ref, gateway, device, limits, nowMs }: CommandOf<"bindDevice">): undefined {
    const boundTo = this.#ports.getDevice({ ...ref, device: gateway });
    const bound = this.#ports.getDevice({ ...ref, device });
    refuseUnbindable(
      { ...boundTo, gatewayType: this.#gatewayTypeOf(boundTo) },
      { ...bound, gatewayType: this.#gatewayTypeOf(bound) },
    );
    if (this.#has(boundTo, bound)) return;
    if (this.#count("gateway_pk", boundTo.pk) >= limits.boundDevicesMax) {
      throw gatewayIsFull(boundTo.deviceId, limits.boundDevicesMax);
    }
    if (this.#count("device_pk", bound.pk) >= limits.gatewaysPerDeviceMax) {
      throw deviceIsFull(bound.deviceId, limits.gatewaysPerDeviceMax);
    }
    this.#statements.run(
      "INSERT INTO gateway_binding (gateway_pk, device_pk, created_ms) VALUES (?, ?, ?)",
      ...[boundTo.pk, bound.pk, nowMs],
    );
    this.#ports.log("device_bound", ref, nowMs, bound.deviceId, boundTo.deviceId);
  }

  unbind({ ref, gateway, device, nowMs }: CommandOf<"unbindDevice">): undefined {
    const boundTo = this.#ports.getDevice({ ...ref, device: gateway });
    const bound = this.#ports.getDevice({ ...ref, device });
    const sql = "DELETE FROM gateway_binding WHERE gateway_pk = ? AND device_pk = ?";
    if (this.#statements.run(sql, boundTo.pk, bound.pk) === 0) throw bindingNotFound(gateway, device);
    this.#ports.log("device_unbound", ref, nowMs, bound.deviceId, boundTo.deviceId);
  }

  /** Whether a device has gateways, or a gateway devices. */
  isBound(pk: number): boolean {
    const sql = "SELECT 1 FROM gateway_binding WHERE gateway_pk = ?1 OR device_pk = ?1 LIMIT 1";
    return this.#statements.get(sql, pk) !== undefined;
  }

  #has(gateway: FoundDevice, device: FoundDevice): boolean {
    const sql = "SELECT 1 FROM gateway_binding WHERE gateway_pk = ? AND device_pk = ?";
    return this.#statements.get(sql, gateway.pk, device.pk) !== undefined;
  }

  #count(column: "gateway_pk" | "device_pk", pk: number): number {
    const row = this.#statements.get(`SELECT count(*) AS count FROM gateway_binding WHERE ${column} = ?`, pk);
    return Number(row?.["count"]);
  }

  #gatewayTypeOf({ pk }: FoundDevice): DeviceRecord["gatewayType"] {
    const row = this.#statements.get("SELECT gateway_type FROM device WHERE pk = ?", pk);
    return String(row?.["gateway_type"]) as DeviceRecord["gatewayType"];
  }
}
