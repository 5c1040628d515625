/**
 * Why an attached device is attached no longer, and what that looks like to the gateway and to the operator. One table;
 * the compiler keeps it complete.
 *
 * The gateway hears of what it did not do itself on its errors topic, as Cloud IoT Core named it
 * (cloud-iot-core.md §6). The device's `lastErrorStatus` keeps it.
 */
import type { RightEnd } from "../auth/rejudgement.ts";

interface ReasonForBoth {
  /** `google.rpc.Status` code. */
  readonly code: number;
  /** Goes on "Device detached because of a device error: ". */
  readonly description: string;
}

export const detachReasons = {
  /** It published to `detach`. */
  asked: undefined,
  /** The gateway's connection is over. */
  connection_ended: undefined,
  attached_elsewhere: { code: 6, description: "it was attached through another gateway" },
  direct_connection: { code: 6, description: "the device has connected itself" },
  token_expired: { code: 16, description: "its authorization token expired" },
  key_expired: { code: 16, description: "its key expired" },
  key_retired: { code: 16, description: "its key was retired" },
  key_revoked: { code: 16, description: "its key was revoked" },
  token_superseded: { code: 16, description: "tokens of that age are no longer accepted" },
  policy_tightened: { code: 16, description: "the registry's policy changed" },
  device_blocked: { code: 7, description: "the device is blocked" },
  device_deleted: { code: 5, description: "the device is gone" },
  bridge_disabled: { code: 9, description: "MQTT is disabled for the registry" },
  /** What the gateway must show for a device changed, or the binding is gone. */
  not_associated: { code: 7, description: "the device may not be attached to this gateway so any more" },
  topic_invalid: { code: 3, description: "a message for it came on a topic that does not exist" },
  payload_too_large: { code: 3, description: "a message of it was too large" },
  rate_exceeded: { code: 8, description: "it sent more than it may in a second" },
  registry_unavailable: { code: 14, description: "the registry cannot be read now" },
} as const satisfies Readonly<Record<string, ReasonForBoth | undefined>> &
  Readonly<Record<RightEnd, ReasonForBoth>>;

/** Closed set, fit for a metric's label. */
export type DetachReason = keyof typeof detachReasons;

export function detachReasonForBoth(reason: DetachReason): ReasonForBoth | undefined {
  return detachReasons[reason];
}
