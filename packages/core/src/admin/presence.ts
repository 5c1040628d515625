/**
 * Presence in the admin API: is a device connected, since when and why, as a state and as a stream of changes.
 */
import type { Device, PageRequest } from "./resources.ts";

export interface PresenceView {
  readonly state: "ONLINE" | "OFFLINE";
  /** Of `OFFLINE`: when the last connection ended, or at the latest then (`bridge_restarted`). */
  readonly since: string;
  /**
   * Of `ONLINE`: `connected`, `attached` (to a gateway), in a change also `reconnected` and `taken_over`: it was online
   * all the while. Of `OFFLINE`: why the connection or the attachment ended, as in the bridge's log and metrics, or
   * `bridge_restarted`, `device_deleted`.
   */
  readonly because: string;
  /** The gateway it is reached through, where it has no connection of its own. */
  readonly gatewayId?: string;
  /** Its connection is gone since then. It is online until that has lasted 10 s. */
  readonly lostTime?: string;
}

/** A device that was never online has no presence: one that uses HTTP alone, for instance. */
export type PresenceFilter = "ONLINE" | "OFFLINE" | "NEVER_ONLINE";

export interface PresenceListRequest extends PageRequest {
  readonly presence?: PresenceFilter;
  /** Members of the device, as in `listDevices`. */
  readonly fields?: readonly (keyof Device)[];
}

export interface DevicePresence {
  readonly device: Device;
  readonly presence?: PresenceView;
}

/** May hold fewer devices than asked for, or none, and yet have a next page: the filter looks at a page at a time. */
export interface DevicePresencePage {
  readonly devices: readonly DevicePresence[];
  readonly nextPageToken?: string;
}

export interface PresenceChangeView extends PresenceView {
  readonly deviceId: string;
  readonly deviceNumId: string;
  /** When it was told; absent in a snapshot. */
  readonly time?: string;
}

/**
 * A line of the stream. After `snapshot` come that many `state` lines, all of devices that are online; whoever is not
 * among them is offline. `current` ends it. `position` is what to come back with.
 */
export type PresenceLine =
  | { readonly kind: "snapshot"; readonly online: number }
  | { readonly kind: "state"; readonly state: PresenceChangeView }
  | { readonly kind: "current"; readonly position: string }
  | { readonly kind: "change"; readonly position: string; readonly change: PresenceChangeView };
