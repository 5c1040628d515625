/**
 * The state of the clock in words, for a status that a person reads.
 */
import type { WaitingCode } from "./believed-time.ts";
import type { RtcState } from "./rtc-keeper.ts";
import type { TimeStatus } from "./time-status.ts";
import type { SourceKind } from "./trust-rules.ts";

const waiting: Readonly<Record<WaitingCode, string>> = {
  no_answer: "no source of time has answered yet",
  needs_majority: "a time was told that nobody vouches for; three servers must agree, or the bridge sign it",
  needs_signature:
    "servers agree on a time more than a day after the last known one; only a signed time is believed there",
  oscillator_stopped:
    "the clock chip has stopped since it was set; three servers must agree, or the bridge sign",
  rtc_disagrees: "the clock chip contradicts the monotonic clock; a source must say which is right",
  too_uncertain: "the time has not been checked for so long that it may be too wrong to sign with",
  behind_floor: "a later time than this was known before",
};

const rtcWords: Readonly<Record<RtcState, string>> = {
  not_read: "the clock chip is not read yet",
  good: "the clock chip is good",
  no_record: "nobody knows what the clock chip was set by",
  stopped: "the clock chip had stopped",
  unusable: "the clock chip cannot be read",
  aside: "the clock chip is left alone for a day, since it contradicted the monotonic clock twice",
};

const sources: Readonly<Record<SourceKind, string>> = {
  rtc: "the clock chip",
  "ntp-agreed": "servers that agree",
  "ntp-single": "one server",
  signed: "a signed time",
  hint: "the bridge's word",
};

/** Why nothing may be signed. @param rtc Of the clock chip, where there is one. */
export function waitingWords(because: WaitingCode, rtc: RtcState | undefined): string {
  const words = waiting[because];
  return because === "no_answer" && rtc !== undefined && rtc !== "good"
    ? `${words}, and ${rtcWords[rtc]}`
    : words;
}

/** One line. */
export function timeWords(status: TimeStatus): string {
  const { trust, waitingBecause, uncertaintySeconds, source, rtc } = status;
  const since = `for ${durationWords(status.forSeconds)}`;
  const known = uncertaintySeconds === undefined ? "" : `, ± ${secondsWords(uncertaintySeconds)}`;
  const from = source === undefined ? "" : `, from ${sources[source]}`;
  const chip =
    rtc === undefined
      ? ""
      : `; ${rtcWords[rtc.state]}, drift ${rtc.driftPpm.toFixed(2)} ± ${rtc.driftBoundPpm.toFixed(2)} ppm`;
  const wait = waitingBecause === undefined ? "" : `; waits: ${waitingWords(waitingBecause, undefined)}`;
  return `${trust} ${since}${known}${from}${chip}${wait}`;
}

function secondsWords(seconds: number): string {
  return seconds < 1 ? `${Math.ceil(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
}

function durationWords(seconds: number): string {
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} days`;
}
