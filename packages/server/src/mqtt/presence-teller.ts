/**
 * From the bridge's connections and attachments to presence: which ends are renewals, which may be mended by the
 * device's return, and which are the registry's word.
 */
import type { DevicePrincipal } from "../auth/admission.ts";
import type { PresenceWay, PresentDevice } from "../presence/presence.ts";
import type { Leaving, PresenceBook } from "../presence/presence-book.ts";
import type { CloseReason } from "./close-reason.ts";
import type { DetachReason } from "./detach-reason.ts";
import type { BridgeObserver } from "./observer.ts";

/** All others may be mended: the device comes back with its next token or its next key, or when the network does. */
const leavings: Partial<Readonly<Record<CloseReason | DetachReason, Leaving>>> = {
  renewed: "renewed",
  handed_over: "renewed",
  taken_over: "replaced",
  attached_elsewhere: "replaced",
  direct_connection: "replaced",
  device_blocked: "put_out",
  device_deleted: "put_out",
  bridge_disabled: "put_out",
};

function leavingOf(because: CloseReason | DetachReason): Leaving {
  return leavings[because] ?? "may_return";
}

/** What of the bridge's observer says who is there. */
export type PresenceTeller = Pick<BridgeObserver, "connected" | "disconnected" | "attached" | "detached">;

export function createPresenceTeller(book: Pick<PresenceBook, "arrived" | "left">): PresenceTeller {
  return {
    connected: ({ principal }) => book.arrived(deviceOf(principal), { kind: "direct" }),
    disconnected: ({ principal, because }) =>
      book.left(deviceOf(principal), { kind: "direct" }, leavingOf(because), because),
    attached: ({ principal, gateway }) => book.arrived(deviceOf(principal), through(gateway)),
    detached: ({ principal, gateway, because }) =>
      book.left(deviceOf(principal), through(gateway), leavingOf(because), because),
  };
}

function through({ deviceId }: DevicePrincipal): PresenceWay {
  return { kind: "gateway", gatewayId: deviceId };
}

function deviceOf({ registry, deviceId, deviceNumId }: DevicePrincipal): PresentDevice {
  const { project, location, registry: id } = registry;
  return { registry: { project, location, registry: id }, deviceId, deviceNumId };
}
