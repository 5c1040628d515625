/**
 * What stands in the agent's way, as a person before the device would say it: what is wrong, and where to look.
 *
 * Each sentence ends with the code in parentheses, which is what a search finds and a log has. A code nobody foresaw is
 * shown bare.
 */
import type { AgentTrouble } from "@mayfly/device";
import { formatDuration } from "../output.ts";

/** Below this a clock that is off explains no refusal: the strictest bridge forgives more. */
const clockOffSecondsMin = 5;

/** By the last word of what the network adapter or the session says. */
const networkWords: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens at the bridge's address; it may be down",
  ECONNRESET: "the connection to the bridge was broken off",
  EPIPE: "the connection to the bridge was broken off",
  ETIMEDOUT: "the bridge's machine does not answer",
  EHOSTUNREACH: "there is no way to the bridge's machine; is there a network?",
  ENETUNREACH: "there is no way to the bridge's machine; is there a network?",
  ENOTFOUND: "the bridge's name is not known; is there a network?",
  EAI_AGAIN: "the bridge's name is not known; is there a network?",
  time: "the bridge does not answer",
  ping_timeout: "the bridge fell silent, so the connection was given up",
  connack_timeout: "the bridge takes connections and does not answer",
  link_closed: "the connection to the bridge ended",
  CERT_HAS_EXPIRED: "the bridge's certificate has run out, or this machine's clock is wrong",
  CERT_NOT_YET_VALID: "the bridge's certificate is not valid yet, or this machine's clock is wrong",
  ERR_TLS_CERT_ALTNAME_INVALID: "the bridge's certificate is for another name",
  SELF_SIGNED_CERT_IN_CHAIN: "the bridge's certificate is of no root this device knows",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "the bridge's certificate is of no root this device knows",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the bridge's certificate is of no root this device knows",
};

/** By the code of the signer's error. */
const keyWords: Readonly<Record<string, string>> = {
  chip_absent: "the chip that holds the key does not answer; has it power, and is it connected?",
  chip_wake_malformed: "what answers in the place of the chip that holds the key is none",
  chip_busy_timeout: "the chip that holds the key does not come to an end",
  chip_reset: "the chip that holds the key forgets what it is told; does its supply sag?",
  watchdog_expired: "the chip that holds the key runs out of time before it has signed",
  command_crc: "what is sent to the chip that holds the key arrives damaged",
  response_crc: "what the chip that holds the key sends arrives damaged",
  chip_status_ecc_fault: "the chip that holds the key fails at computing a signature",
  chip_status_self_test: "the chip that holds the key has failed its self-test",
  chip_status_health_test: "the chip that holds the key has no good random numbers",
  chip_status_execution: "the chip's configuration does not let this key sign",
  bus_stuck: "the bus of the chip that holds the key hangs",
  bus_failed: "the bus of the chip that holds the key is not there",
  bus_closed: "the bus of the chip that holds the key is not there",
  time: "the key does not sign in time",
};

/** @returns What is wrong, without a full stop. */
export function describeTrouble({ because, detail, clockAheadSeconds }: AgentTrouble): string {
  const code = detail.slice(detail.lastIndexOf(" ") + 1);
  switch (because) {
    case "network":
      return `${networkWords[code] ?? "the bridge cannot be reached"} (${detail})`;
    case "no_key":
      return `${keyWords[code] ?? "no token could be signed"} (${detail})`;
    case "kicked":
      return code in networkWords ? `${networkWords[code]}, soon after it was made (${detail})` : detail;
    case "refused":
      return `${refusalWords(detail)}${clockWords(clockAheadSeconds)}`;
    case "busy":
      return detail;
    case "protocol":
      return `${detail}; someone has to look at that`;
  }
}

/** The standard's words are about a right nobody before a device has heard of. */
function refusalWords(detail: string): string {
  return detail === "not authorized" ? `the bridge refused the token (${detail})` : detail;
}

/** @returns What a refusal may come from, where the clocks differ by enough. */
function clockWords(aheadSeconds: number | undefined): string {
  if (aheadSeconds === undefined || Math.abs(aheadSeconds) < clockOffSecondsMin) return "";
  const direction = aheadSeconds > 0 ? "ahead of" : "behind";
  return `; the device's clock is ${formatDuration(Math.abs(aheadSeconds))} ${direction} the bridge's`;
}
