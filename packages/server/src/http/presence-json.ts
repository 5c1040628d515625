/**
 * Presence in JSON: states as v1 spells enums, instants as RFC 3339, a place in the stream as one opaque word.
 */
import type { PresenceChangeView, PresenceView } from "@mayfly/core/admin";
import type { Presence, PresenceEvent, PresentDevice } from "../presence/presence.ts";
import type { PresencePlace } from "../presence/presence-history.ts";
import { invalidField } from "./api-error.ts";
import { formatMillis } from "./timestamps.ts";

const placeForm = /^([0-9a-f]{16})\.(0|[1-9][0-9]{0,14})$/;

export function formatPresence({ state, sinceMs, because, way, lostMs }: Presence): PresenceView {
  return {
    state: state === "online" ? "ONLINE" : "OFFLINE",
    since: formatMillis(sinceMs),
    because,
    ...(way?.kind === "gateway" ? { gatewayId: way.gatewayId } : {}),
    ...(lostMs === undefined ? {} : { lostTime: formatMillis(lostMs) }),
  };
}

/** A device's state at a snapshot. */
export function formatPresenceState(device: PresentDevice, presence: Presence): PresenceChangeView {
  return { deviceId: device.deviceId, deviceNumId: device.deviceNumId, ...formatPresence(presence) };
}

export function formatPresenceEvent({ device, presence, atMs }: PresenceEvent): PresenceChangeView {
  return { ...formatPresenceState(device, presence), time: formatMillis(atMs) };
}

export function formatPlace({ epoch, sequence }: PresencePlace): string {
  return `${epoch}.${sequence}`;
}

/** @throws {ApiError} INVALID_ARGUMENT */
export function readPlace(text: string | undefined): PresencePlace | undefined {
  if (text === undefined || text === "") return undefined;
  const [, epoch, sequence] = placeForm.exec(text) ?? [];
  if (epoch === undefined) throw invalidField("after", "'after' must be a position the stream gave.");
  return { epoch, sequence: Number(sequence) };
}
