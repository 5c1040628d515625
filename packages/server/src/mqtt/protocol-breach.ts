/**
 * Bytes that are no MQTT, or none that we announced to take: what the end they cause is called.
 *
 * Left to others: how it looks on the wire (`close-reason.ts`, `connack.ts`).
 */
import type { MqttError } from "@mayfly/core/mqtt";
import type { CloseReason } from "./close-reason.ts";
import type { ConnectRefusal } from "./observer.ts";

/** In a session. */
export function closeReasonOf(error: MqttError): CloseReason {
  switch (error.code) {
    case "packet_too_large":
    case "topic_name_invalid":
    case "topic_alias_invalid":
    case "malformed_packet":
      return error.code;
    case "backlog_exceeded":
      return "receive_maximum_exceeded";
    default:
      return "protocol_error";
  }
}

/** Before there is one. */
export function connectRefusalOf(error: MqttError): ConnectRefusal {
  switch (error.code) {
    case "unsupported_protocol_version":
      return "protocol_version_unsupported";
    case "malformed_packet":
    case "packet_too_large":
      return error.code;
    default:
      return "protocol_error";
  }
}
