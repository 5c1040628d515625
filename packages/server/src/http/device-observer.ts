/**
 * What the device HTTPS API tells the world while it works: for metrics and logs.
 *
 * Facts only, never a token, key or signature. Every method must return quickly and must not throw; the API
 * does not wait for it. Times of token verifications are admission's to tell, for both bridges alike.
 */

import type { DeviceName } from "@mayfly/core";
import type { Authenticity, TokenErrorCode } from "@mayfly/core/token";
import type { SpeakerRefusal } from "./device-gateway.ts";
import type { GateRefusal } from "./gate-refusal.ts";

export const deviceCalls = ["publishEvent", "setState", "config"] as const;
export type DeviceCall = (typeof deviceCalls)[number];

/** Why a request was turned away: before its body was read, or because a gateway may not speak for the device. Closed set, fit for a metric's label. */
export type RequestRefusal =
  | TokenErrorCode
  | "bridge_disabled"
  | "registry_unavailable"
  | "authorization_missing"
  | SpeakerRefusal
  /** It is no HTTP that is understood here, or came too slowly; there is no device's name then. */
  | GateRefusal;

export interface DeviceApiObserver {
  /** A call is answered, refused ones too. `httpStatus` 200 of an event or state means durable. */
  requestAnswered(facts: { readonly call: DeviceCall; readonly httpStatus: number }): void;
  /** Nobody was admitted. `authenticity` where time alone failed. */
  requestRefused(facts: {
    readonly because: RequestRefusal;
    readonly deviceName?: DeviceName;
    readonly authenticity?: Authenticity;
    readonly remoteAddress: string;
  }): void;
}
