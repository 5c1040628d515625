/**
 * Attachment: may this gateway speak for that device now? One judgement for both bridges, so that they cannot differ.
 *
 * The gateway's method says what must be shown; what is shown beyond it does not count (the credentials of a device
 * under ASSOCIATION_ONLY are ignored, and its token not verified: a stale one there is no fault).
 *
 * | method of the gateway | bound | device token |
 * |---|---|---|
 * | unspecified | nobody attaches | |
 * | ASSOCIATION_ONLY | must be | ignored where the registry's policy allows association alone; else must verify |
 * | DEVICE_AUTH_TOKEN_ONLY | need not be | must verify |
 * | ASSOCIATION_AND_DEVICE_AUTH_TOKEN | must be | must verify |
 *
 * Left to others: verifying the token (`admission.ts`), how a refusal looks on the wire. Source: cloud-iot-core.md §6.
 */
import { TokenError } from "@mayfly/core/token";
import type { AttachmentRecord } from "../registry/gateway-store.ts";
import type { GatewayAuthMethod } from "../registry/model.ts";
import type { LookUp } from "../registry/store.ts";
import type { AdmissionOutcome, DevicePrincipal } from "./admission.ts";

/** Why a device is not attached. Closed set, fit for a metric's label. */
export type AttachmentRefusal =
  /** Our trouble: the registry could not be read. Nobody was judged. */
  | "registry_unavailable"
  /** The one that asks is no gateway, or one whose method lets nobody attach. */
  | "not_gateway"
  | "method_unspecified"
  | "association_alone_refused"
  | "device_unknown"
  /** A gateway does not speak for another. */
  | "device_is_gateway"
  | "device_blocked"
  | "not_bound"
  | "token_missing"
  | "token_refused"
  /** The registry has this bridge switched off. */
  | "bridge_disabled";

export type AttachmentVerdict =
  | {
      readonly kind: "allowed";
      readonly device: NonNullable<AttachmentRecord["device"]>;
      /** Who the device's token says it is, where the right rests on one: the attachment ends at its deadline. */
      readonly principal: DevicePrincipal | undefined;
    }
  | {
      readonly kind: "refused";
      readonly because: AttachmentRefusal;
      /** Of `token_refused`: why. For the log, and for what a bridge names of it. */
      readonly error?: TokenError;
    };

const requirements = {
  GATEWAY_AUTH_METHOD_UNSPECIFIED: undefined,
  ASSOCIATION_ONLY: { binding: true, token: false },
  DEVICE_AUTH_TOKEN_ONLY: { binding: false, token: true },
  ASSOCIATION_AND_DEVICE_AUTH_TOKEN: { binding: true, token: true },
} satisfies Record<GatewayAuthMethod, { readonly binding: boolean; readonly token: boolean } | undefined>;

/** Whether a token of the device is to be verified before the judgement; where not, one that is shown is not looked at. */
export function needsDeviceToken(method: GatewayAuthMethod | undefined): boolean {
  return method !== undefined && requirements[method]?.token === true;
}

/**
 * @param gateway Who asks, with its registry's present policy. A device that is no gateway is refused.
 * @param record Of the device, asked with this gateway.
 * @param token What admission said of the device's token; `undefined` where none was shown, or none is needed.
 */
export function judgeAttachment(
  gateway: Pick<DevicePrincipal, "gatewayAuthMethod" | "policy">,
  record: LookUp<AttachmentRecord>,
  token: AdmissionOutcome | undefined,
): AttachmentVerdict {
  if (gateway.gatewayAuthMethod === undefined) return refused("not_gateway");
  const required = requirements[gateway.gatewayAuthMethod];
  if (required === undefined) return refused("method_unspecified");
  const isBindingEnough = !required.token && gateway.policy.gatewayAssociationOnly === "allow";
  if (!required.token && !isBindingEnough && token === undefined) {
    return refused("association_alone_refused");
  }
  if (record === "unavailable") return refused("registry_unavailable");
  const device = record?.device;
  if (record === undefined || device === undefined) return refused("device_unknown");
  if (device.gatewayType === "GATEWAY") return refused("device_is_gateway");
  if (required.binding && !record.isBound) return refused("not_bound");
  if (device.blocked) return refused("device_blocked");
  if (isBindingEnough) return { kind: "allowed", device, principal: undefined };
  return judgeToken(device, token);
}

function judgeToken(
  device: NonNullable<AttachmentRecord["device"]>,
  token: AdmissionOutcome | undefined,
): AttachmentVerdict {
  if (token === undefined) return refused("token_missing");
  if (token.kind === "admitted") {
    // Two look-ups: the name may belong to another device by the second.
    return token.principal.deviceNumId === device.numId
      ? { kind: "allowed", device, principal: token.principal }
      : refused("device_unknown");
  }
  if (token.because instanceof TokenError) {
    return { kind: "refused", because: "token_refused", error: token.because };
  }
  return refused(token.because);
}

function refused(because: AttachmentRefusal): AttachmentVerdict {
  return { kind: "refused", because };
}
