/**
 * Telemetry intake: one way in for what devices send, whichever bridge they speak to.
 *
 * It checks the size, stamps the arrival and hands the message on; the answer comes when the message would
 * survive the loss of power, or with the reason why it was not taken. Who may send at all was decided by
 * admission; acknowledging on the wire is the bridge's business.
 */
import type { DevicePrincipal } from "../auth/admission.ts";

export type IntakeRefusal =
  | "queue_full"
  | "disk_full"
  | "closed"
  | "store_failed" /* later, perhaps */
  | "device_gone"
  | "payload_too_large"; /* never */

export type IntakeOutcome =
  | { readonly kind: "durable"; readonly messageId?: string }
  | { readonly kind: "refused"; readonly because: IntakeRefusal };

export interface DeviceEvent {
  /** Text after `events/`, "" for none. */
  readonly subfolder: string;
  /** Not kept after the call. */
  readonly payload: Uint8Array;
  readonly deviceMessageId?: string;
}

export interface Intake {
  /** @param done called exactly once, never synchronously unless the payload is too large. */
  takeEvent(principal: DevicePrincipal, event: DeviceEvent, done: (outcome: IntakeOutcome) => void): void;
  /** @param done as for events. `payload` is not kept after the call. */
  takeState(principal: DevicePrincipal, payload: Uint8Array, done: (outcome: IntakeOutcome) => void): void;
}
