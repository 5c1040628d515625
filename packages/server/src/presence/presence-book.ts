/**
 * Who is online, and what is told of it: one entry for each device that is reachable, none for the others.
 *
 * The idea is that going away is told late, and never wrongly. A device that lost its last way lingers: back within
 * {@link lingerMillis}, it was online all the while. So firmware that reconnects for each token does not flap, and a
 * renewal, whose connections follow each other within a moment, is not told at all. Only where the registry itself put
 * the device out (blocked, deleted, its bridge switched off) is there nothing to wait for.
 *
 * The last state goes to the registry with the device's other last-seen facts, so that it outlives the entry and the
 * process. Left to others: the order and numbers of events (`presence-history.ts`), what was left behind by a process
 * that was killed (`presence-rebuild.ts`).
 */
import type { CancelTimer, Clock, Timers } from "@mayfly/core";
import type { DeviceRef, RegistryRef } from "../registry/model.ts";
import type { RegistryStore } from "../registry/store.ts";
import {
  lingeringMax,
  lingerMillis,
  type OnlineReason,
  type Presence,
  type PresenceWay,
  type PresentDevice,
} from "./presence.ts";

/**
 * How a way was closed. `replaced`: the same device opens another one at once. `renewed`: the same, for its next
 * token. `may_return`: whatever else there is. `put_out`: the registry does not want it any more.
 */
export type Leaving = "replaced" | "renewed" | "may_return" | "put_out";

export interface PresenceCounts {
  /** Devices told as online. */
  readonly online: number;
  /** Of these, reached through gateways alone. */
  readonly throughGateways: number;
  /** Of these, away and not told as offline yet. */
  readonly lingering: number;
}

interface Entry {
  readonly device: PresentDevice;
  readonly sinceMs: number;
  readonly because: OnlineReason;
  isDirect: boolean;
  /** Gateways it is attached to; the newest last. Undefined while there is none, as for most devices. */
  gateways: Set<string> | undefined;
  /** Set while it lingers. */
  left:
    | { readonly how: Leaving; readonly because: string; readonly atMs: number; readonly millis: number }
    | undefined;
}

export interface PresenceBookPorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly registry: Pick<RegistryStore, "recordActivity">;
  /** Hears each change and each note, in order. */
  readonly tell: (device: PresentDevice, presence: Presence, atMs: number) => void;
}

export class PresenceBook {
  readonly #ports: PresenceBookPorts;
  readonly #lingeringMax: number;
  /** By registry, then by device id: an id may hold any character a path is joined with, parts may not. */
  readonly #registries = new Map<string, Map<string, Entry>>();
  /** In the order they left, which is the order they are due. */
  readonly #lingering = new Set<Entry>();
  #online = 0;
  #throughGateways = 0;
  #cancelTimer: CancelTimer | undefined;

  constructor(ports: PresenceBookPorts, mostLingering = lingeringMax) {
    this.#ports = ports;
    this.#lingeringMax = mostLingering;
  }

  counts(): PresenceCounts {
    return { online: this.#online, throughGateways: this.#throughGateways, lingering: this.#lingering.size };
  }

  /** A way to the device is open. */
  arrived(device: PresentDevice, way: PresenceWay): void {
    const before = this.#find(device);
    // The same name with another numId is another device: the one that was online is gone.
    if (before !== undefined && before.device.deviceNumId !== device.deviceNumId) {
      this.#settle(before, "device_deleted", this.#nowMs());
    }
    const entry = this.#find(device);
    if (entry === undefined) this.#enter(device, way);
    else this.#addWay(entry, way);
  }

  /** @param because the reason's code, fit for a label. */
  left(device: PresentDevice, way: PresenceWay, how: Leaving, because: string): void {
    const entry = this.#find(device);
    // Late news of a device that was deleted and made again.
    if (entry === undefined || entry.device.deviceNumId !== device.deviceNumId) return;
    if (!this.#removeWay(entry, way)) return;
    const atMs = this.#nowMs();
    if (how === "put_out") {
      this.#settle(entry, because, atMs);
      return;
    }
    entry.left = { how, because, atMs, millis: this.#ports.clock.monotonicMillis() };
    this.#lingering.add(entry);
    if (this.#lingering.size > this.#lingeringMax) this.#settleFirst();
    this.#setTimer();
  }

  /** The device is no longer in the registry: it will not be back. One with an open way is told when that closes. */
  removed(ref: DeviceRef): void {
    const entry = this.#registries.get(keyOf(ref))?.get(ref.device);
    if (entry?.left !== undefined) this.#settle(entry, "device_deleted", entry.left.atMs);
  }

  /** @returns undefined for a device that is not online. */
  find(device: PresentDevice): Presence | undefined {
    const entry = this.#find(device);
    return entry?.device.deviceNumId === device.deviceNumId ? presenceOf(entry) : undefined;
  }

  /** All that are online in a registry, as of now. */
  online(registry: RegistryRef): readonly { readonly device: PresentDevice; readonly presence: Presence }[] {
    const entries = this.#registries.get(keyOf(registry))?.values() ?? [];
    return [...entries].map((entry) => ({ device: entry.device, presence: presenceOf(entry) }));
  }

  /** The bridge ends: everybody is offline, those who linger since they left. */
  close(): void {
    for (const entries of [...this.#registries.values()]) {
      for (const entry of [...entries.values()]) {
        const { left } = entry;
        this.#settle(entry, left?.because ?? "shutting_down", left?.atMs ?? this.#nowMs());
      }
    }
    this.#cancelTimer?.();
  }

  #enter(device: PresentDevice, way: PresenceWay): void {
    const key = keyOf(device.registry);
    const devices = this.#registries.get(key) ?? new Map<string, Entry>();
    this.#registries.set(key, devices);
    const entry: Entry = {
      ...{ device, sinceMs: this.#nowMs(), left: undefined },
      because: way.kind === "direct" ? "connected" : "attached",
      isDirect: way.kind === "direct",
      gateways: way.kind === "direct" ? undefined : new Set([way.gatewayId]),
    };
    devices.set(device.deviceId, entry);
    this.#online += 1;
    if (!entry.isDirect) this.#throughGateways += 1;
    this.#changed(device, presenceOf(entry), entry.sinceMs);
  }

  #addWay(entry: Entry, way: PresenceWay): void {
    const { left } = entry;
    this.#countWay(entry, () => {
      if (way.kind === "direct") entry.isDirect = true;
      else {
        entry.gateways ??= new Set();
        // Deleting first makes it the newest.
        entry.gateways.delete(way.gatewayId);
        entry.gateways.add(way.gatewayId);
      }
    });
    if (left === undefined) return;
    entry.left = undefined;
    this.#lingering.delete(entry);
    if (left.how === "renewed") return;
    const because = left.how === "replaced" ? "taken_over" : "reconnected";
    this.#ports.tell(entry.device, { ...presenceOf(entry), because }, this.#nowMs());
  }

  /** @returns whether it was the last one. */
  #removeWay(entry: Entry, way: PresenceWay): boolean {
    if (entry.left !== undefined) return false;
    this.#countWay(entry, () => {
      if (way.kind === "direct") entry.isDirect = false;
      else entry.gateways?.delete(way.gatewayId);
      if (entry.gateways?.size === 0) entry.gateways = undefined;
    });
    return !entry.isDirect && entry.gateways === undefined;
  }

  /** Keeps the count of devices that are reached through gateways alone. */
  #countWay(entry: Entry, change: () => void): void {
    const before = Number(isThroughGateway(entry));
    change();
    this.#throughGateways += Number(isThroughGateway(entry)) - before;
  }

  #settle(entry: Entry, because: string, sinceMs: number): void {
    const { device } = entry;
    const key = keyOf(device.registry);
    const devices = this.#registries.get(key);
    devices?.delete(device.deviceId);
    if (devices?.size === 0) this.#registries.delete(key);
    this.#lingering.delete(entry);
    this.#online -= 1;
    if (isThroughGateway(entry)) this.#throughGateways -= 1;
    const presence: Presence = { state: "offline", sinceMs, because };
    // What is deleted has no record any more, and one of the same name is not its own.
    if (because === "device_deleted") this.#ports.tell(device, presence, this.#nowMs());
    else this.#changed(device, presence, this.#nowMs());
  }

  #settleFirst(): void {
    for (const entry of this.#lingering) {
      if (entry.left !== undefined) this.#settle(entry, entry.left.because, entry.left.atMs);
      return;
    }
  }

  #changed(device: PresentDevice, presence: Presence, atMs: number): void {
    this.#ports.registry.recordActivity({
      device: { ...device.registry, device: device.deviceId },
      activity: { presence },
    });
    this.#ports.tell(device, presence, atMs);
  }

  /** One timer, for who is away longest. */
  #setTimer(): void {
    if (this.#cancelTimer !== undefined) return;
    for (const { left } of this.#lingering) {
      const dueMillis = (left?.millis ?? 0) + lingerMillis;
      const delayMillis = Math.max(0, dueMillis - this.#ports.clock.monotonicMillis());
      this.#cancelTimer = this.#ports.timers.after(delayMillis, () => this.#settleDue());
      return;
    }
  }

  #settleDue(): void {
    this.#cancelTimer = undefined;
    const nowMillis = this.#ports.clock.monotonicMillis();
    for (const entry of this.#lingering) {
      if (entry.left === undefined || entry.left.millis + lingerMillis > nowMillis) break;
      this.#settle(entry, entry.left.because, entry.left.atMs);
    }
    this.#setTimer();
  }

  #find({ registry, deviceId }: PresentDevice): Entry | undefined {
    return this.#registries.get(keyOf(registry))?.get(deviceId);
  }

  #nowMs(): number {
    return Math.floor(this.#ports.clock.wallSeconds() * 1000);
  }
}

function isThroughGateway({ isDirect, gateways }: Entry): boolean {
  return !isDirect && gateways !== undefined;
}

function presenceOf({ sinceMs, because, isDirect, gateways, left }: Entry): Presence {
  const gatewayId = gateways === undefined ? undefined : [...gateways].at(-1);
  const way: PresenceWay | undefined = isDirect
    ? { kind: "direct" }
    : gatewayId === undefined
      ? undefined
      : { kind: "gateway", gatewayId };
  return {
    ...{ state: "online", sinceMs, because },
    ...(way === undefined ? {} : { way }),
    ...(left === undefined ? {} : { lostMs: left.atMs }),
  };
}

function keyOf({ project, location, registry }: RegistryRef): string {
  return `${project}/${location}/${registry}`;
}
