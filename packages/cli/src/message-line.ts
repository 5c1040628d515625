/**
 * One telemetry message as a line: for people when, who and what; for programs everything, data in base64.
 */
import type { PubsubMessage } from "@mayfly/core/admin";
import { formatPayload } from "./output.ts";

/** Telemetry is its device's text: formatPayload shows no control characters, so a device cannot write to a terminal. */
export function formatMessage(message: PubsubMessage): string {
  const device = message.attributes["deviceId"] ?? "?";
  const subfolder = message.attributes["subFolder"] ?? "";
  const part = message.attributes["subType"] === "state" ? "(state)" : subfolder;
  const from = part === "" ? device : `${device}/${part}`;
  return `${message.publishTime}  ${from}  ${formatPayload(Buffer.from(message.data, "base64"))}`;
}
