/**
 * Presence: what is told of whether a device is connected, since when and why.
 *
 * Two states and no third: a device is online while a way to it is open, its own Network Connection or a gateway it is
 * attached to. Everything a credential costs (its renewal, in whatever form) is no change of state. HTTP has no
 * connection, so a device that only ever used HTTP has no presence at all.
 *
 * Left to others: when a state changes (`presence-book.ts`), what was told lately (`presence-history.ts`).
 */
import type { RegistryRef } from "../registry/model.ts";

/** How a device is reached. */
export type PresenceWay =
  | { readonly kind: "direct" }
  /** Attached to a gateway, named by its device id. */
  | { readonly kind: "gateway"; readonly gatewayId: string };

/** The device as the registry has it; the numId tells a device from a later one of the same name. */
export interface PresentDevice {
  readonly registry: RegistryRef;
  readonly deviceId: string;
  readonly deviceNumId: string;
}

/** Why a device is online. `reconnected` and `taken_over` are told of one that was online all the while. */
export type OnlineReason = "connected" | "attached" | "reconnected" | "taken_over";

/** Reasons of presence's own, beside those for which a connection or an attachment ends. */
export type OwnOfflineReason = "bridge_restarted" | "device_deleted" | "shutting_down";

export interface Presence {
  readonly state: "online" | "offline";
  /** Epoch milliseconds. Of an offline one: when the last way to it closed, or at the latest then. */
  readonly sinceMs: number;
  /** An {@link OnlineReason}; of an offline one the reason its connection or attachment ended with. Fit for a label. */
  readonly because: string;
  /** Of an online one. */
  readonly way?: PresenceWay;
  /** Epoch milliseconds: the way to it is closed, but it may be back before that is told as offline. */
  readonly lostMs?: number;
}

/** One line of the stream. Online and offline alternate for a device, but for the notes among the online ones. */
export interface PresenceEvent {
  /** Grows by 1 with each event of the bridge, whichever registry it is of; starts at 1. */
  readonly sequence: number;
  readonly atMs: number;
  readonly device: PresentDevice;
  readonly presence: Presence;
}

/** How long a device may be away, having lost its last way, before it is told as offline. */
export const lingerMillis = 10_000;
/** Devices that are away but not told as offline yet; beyond it the one that is away longest is told early. */
export const lingeringMax = 20_000;
/** Events kept for whoever was away. */
export const presenceEventsKept = 10_000;
