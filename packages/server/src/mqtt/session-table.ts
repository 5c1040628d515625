/**
 * Who is connected: one session per device, found by string id, by numId, or all of a registry.
 *
 * The fence against late news: a session is taken out only by its own connection. When the closing of a
 * socket that was taken over arrives late, the entry already belongs to the newcomer and stays.
 */
import type { DevicePrincipal } from "../auth/admission.ts";
import type { DeviceRef, RegistryRef } from "../registry/model.ts";

/** A connection, or a device attached to a gateway's. */
interface Entry {
  /** Undefined until it is admitted. */
  readonly principal: DevicePrincipal | undefined;
}

export class SessionTable<T extends Entry> {
  /** By registry, then by device id: an id may hold any character a path is joined with, parts may not. */
  readonly #registries = new Map<string, Map<string, T>>();
  readonly #byNumId = new Map<string, T>();

  get size(): number {
    return this.#byNumId.size;
  }

  find({ device, ...registry }: DeviceRef): T | undefined {
    const byId = this.#registries.get(keyOf(registry))?.get(device);
    if (byId !== undefined) return byId;
    const byNumId = this.#byNumId.get(device);
    // A numId says which device, yet the caller may have looked in the wrong registry.
    const principal = byNumId?.principal;
    return principal !== undefined && keyOf(principal.registry) === keyOf(registry) ? byNumId : undefined;
  }

  ofRegistry(registry: RegistryRef): Iterable<T> {
    return this.#registries.get(keyOf(registry))?.values() ?? [];
  }

  all(): Iterable<T> {
    return this.#byNumId.values();
  }

  /** @returns the one that was there before, to be ended by the caller. */
  enter(entry: T, principal: DevicePrincipal): T | undefined {
    const key = keyOf(principal.registry);
    const devices = this.#registries.get(key) ?? new Map<string, T>();
    this.#registries.set(key, devices);
    // The same id with another numId is a device that was deleted and made again.
    const before = devices.get(principal.deviceId) ?? this.#byNumId.get(principal.deviceNumId);
    devices.set(principal.deviceId, entry);
    this.#byNumId.set(principal.deviceNumId, entry);
    return before;
  }

  /** Takes out what `entry` still holds. */
  leave(entry: T, principal: DevicePrincipal): void {
    const key = keyOf(principal.registry);
    const devices = this.#registries.get(key);
    if (devices?.get(principal.deviceId) === entry) devices.delete(principal.deviceId);
    if (devices?.size === 0) this.#registries.delete(key);
    if (this.#byNumId.get(principal.deviceNumId) === entry) this.#byNumId.delete(principal.deviceNumId);
  }
}

function keyOf({ project, location, registry }: RegistryRef): string {
  return `${project}/${location}/${registry}`;
}
