/**
 * A command to a device as a call: the bridge's outcome becomes an answer or a refusal.
 *
 * Cloud IoT Core said one thing to whoever was not connected or not subscribed; its clients look for that text.
 */
import type { CanonicalStatus } from "@mayfly/core/admin";
import type { Bridge, CommandOutcome } from "../mqtt/bridge.ts";
import type { DeviceRef } from "../registry/model.ts";
import { ApiError } from "./api-error.ts";

export const commandOutcomeOnHttp = {
  delivered: undefined,
  queued: undefined,
  not_connected: {
    status: "FAILED_PRECONDITION",
    says: "is not subscribed to the commands topic: it is not connected",
  },
  not_subscribed: { status: "FAILED_PRECONDITION", says: "is not subscribed to the commands topic" },
  too_many: { status: "RESOURCE_EXHAUSTED", says: "has as many unacknowledged commands as it takes at once" },
  too_large: { status: "INVALID_ARGUMENT", says: "does not take a command of that size" },
  timed_out: { status: "DEADLINE_EXCEEDED", says: "did not acknowledge the command in time" },
  refused_by_device: { status: "ABORTED", says: "received the command and refused it" },
  store_unavailable: { status: "UNAVAILABLE", says: "cannot be sent commands now: they could not be stored" },
  connection_lost: { status: "UNAVAILABLE", says: "lost its connection before it acknowledged the command" },
} satisfies Record<CommandOutcome, { readonly status: CanonicalStatus; readonly says: string } | undefined>;

/**
 * @param device By its string id.
 * @throws {ApiError} Unless the device has the command, it left at QoS 0, or the device's kept Session holds it.
 */
export async function sendCommand(
  bridge: Pick<Bridge, "sendCommand">,
  device: DeviceRef,
  command: { readonly payload: Uint8Array; readonly subfolder: string },
): Promise<void> {
  const outcome = await new Promise<CommandOutcome>((answer) => {
    bridge.sendCommand(device, command, answer);
  });
  const refusal = commandOutcomeOnHttp[outcome];
  if (refusal !== undefined) throw new ApiError(refusal.status, `Device '${device.device}' ${refusal.says}.`);
}
