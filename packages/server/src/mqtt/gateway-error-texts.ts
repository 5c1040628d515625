/**
 * The errors a gateway is told, in words: one place, so that nothing is said of a device that its gateway may not know.
 *
 * Left to others: when they are told (`attachments.ts`), and how (`gateway-errors.ts`).
 */
import { reasonCode } from "@mayfly/core/mqtt";
import { refusalOnWire, type TokenError } from "@mayfly/core/token";
import type { ErrantPacket, GatewayError } from "./gateway-errors.ts";
import type { AttachRefusal } from "./observer.ts";
import type { SenderFailure } from "./uplink.ts";

/**
 * What a gateway may know of why a device was not attached. Of the device it hears no more than a stranger: whether it
 * exists, is blocked or has another key looks the same, but for the clock's faults.
 */
export function refusalForGateway(
  because: AttachRefusal,
  token: TokenError | undefined,
): { readonly description: string; readonly code: number } {
  switch (because) {
    case "attach_malformed":
      return {
        description: "The payload of an attach is empty, or a JSON object with a text 'authorization'.",
        code: reasonCode.payloadFormatInvalid,
      };
    case "too_many_attached":
      return { description: "As many devices as may be are attached.", code: reasonCode.quotaExceeded };
    case "attaches_too_often":
      return { description: "The gateway attaches too often.", code: reasonCode.quotaExceeded };
    case "registry_unavailable":
    case "attach_timeout":
      return { description: "The registry cannot be read now.", code: reasonCode.unspecifiedError };
    case "method_unspecified":
    case "not_gateway":
      return { description: "No device may attach to this gateway.", code: reasonCode.notAuthorized };
    case "association_alone_refused":
      return {
        description: "The registry takes no device that shows no token.",
        code: reasonCode.notAuthorized,
      };
    case "token_missing":
      return {
        description: "The device's authorization token is missing.",
        code: reasonCode.notAuthorized,
      };
    case "token_refused":
      // Named to whoever has a token that a key of the device signed.
      if (token?.authenticity === "authentic" && refusalOnWire[token.code].named) {
        return {
          description: `The device is not authorized: ${token.code}.`,
          code: reasonCode.notAuthorized,
        };
      }
  }
  return { description: "The device is not authorized to attach.", code: reasonCode.notAuthorized };
}

export function notAttached(device: string, packet: ErrantPacket): GatewayError {
  const description = `The specified device with ID '${device}' is not attached to the gateway.`;
  return { type: "GATEWAY_DEVICE_NOT_FOUND", description, device, packet };
}

/** What a device did too much of. */
export const excessDescriptions = {
  payload_too_large: "The message is too large.",
  rate_exceeded: "The device sends more than it may in a second.",
} as const satisfies Partial<Record<SenderFailure, string>>;
