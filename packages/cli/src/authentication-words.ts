/**
 * Authentication records in words: why a device was refused last, how far its clock is off, what looks like a
 * stolen key.
 *
 * Only what a key of the device signed may speak about the device; a refusal of anybody else says so.
 */
import type {
  AuthenticationAttempt,
  AuthenticationEvidence,
  AuthenticationLog,
  ClockOffsetView,
} from "@mayfly/core/admin";
import { formatDuration, formatRelative } from "./output.ts";

type Outcome = AuthenticationAttempt["outcome"];

const outcomeWords = {
  accepted: "accepted",
  bridge_disabled: "this way in is switched off for the registry",
  token_too_large: "the token is too large",
  token_malformed: "there was no token, or it is malformed",
  token_header_unsupported: "the token's header asks for what is not supported",
  token_algorithm_unsupported: "the token's algorithm is not supported",
  token_claims_malformed: "a claim of the token is missing or malformed",
  token_from_future: "the token is from the future",
  token_not_yet_valid: "the token is not valid yet",
  token_lifetime_too_long: "the token lives longer than the registry allows",
  token_expired: "the token had expired",
  token_audience_mismatch: "the token is for another project",
  token_subject_missing: "the token does not say which device it speaks for",
  token_subject_mismatch: "the token speaks for another device",
  device_unknown: "there is no such device",
  device_blocked: "the device is blocked",
  token_superseded: "the token is older than the device's tokens may be",
  key_none: "the device has no key of that kind",
  key_pending: "its key is pending, and the registry does not let pending keys in",
  key_expired: "its key has expired",
  key_retired: "its key is retired",
  key_revoked: "its key is revoked",
  token_signature_malformed: "the signature has the wrong form",
  token_signature_invalid: "no key of the device made the signature",
  failure_limit: "too many failures from there: the signature was not checked",
} as const satisfies Record<Outcome, string>;

const evidenceWords = {
  shared_key: "one key is used from two networks in turn",
  token_reused: "a token of this device came under another name",
  forked_series: "the tokens of one key come from two clocks",
} as const satisfies Record<AuthenticationEvidence["evidence"], string>;

const timeOutcomes: readonly Outcome[] = ["token_expired", "token_from_future", "token_not_yet_valid"];

/** Below this a clock is called right: a token waits a little before it is sent. */
const rightSeconds = 5;

/** An outcome a newer server may have is shown as it is. */
export function describeOutcome(outcome: Outcome): string {
  return outcomeWords[outcome] ?? outcome;
}

export function describeEvidence({ evidence, otherDevice, remoteAddresses }: AuthenticationEvidence): string {
  const other = otherDevice === undefined ? "" : `, ${otherDevice}`;
  return `${evidenceWords[evidence] ?? evidence}${other}: ${remoteAddresses.join(" and ")}`;
}

/** `its clock is 2 h 5 min behind`. */
export function describeClock({ offsetSeconds }: ClockOffsetView): string {
  if (Math.abs(offsetSeconds) < rightSeconds) return `its clock is right, to ${rightSeconds} s`;
  return `its clock is ${formatDuration(offsetSeconds)} ${offsetSeconds < 0 ? "behind" : "ahead"}`;
}

/**
 * The last refusal, and the last authentic one where that is another.
 * @param nowSeconds seconds since 1970.
 */
export function describeRefusals(log: AuthenticationLog, nowSeconds: number): readonly string[] {
  const attempts = log.records.filter((record) => record.kind === "attempt");
  const refused = attempts.filter(({ outcome }) => outcome !== "accepted");
  const [last] = refused;
  const authentic = refused.find(({ authenticity }) => authenticity === "authentic");
  return [...new Set([last, authentic])]
    .filter((one) => one !== undefined)
    .map((one) => {
      const when = formatRelative(Date.parse(one.lastTime) / 1000 - nowSeconds);
      const isAuthentic = one.authenticity === "authentic";
      const clock =
        isAuthentic && timeOutcomes.includes(one.outcome) && log.clock !== undefined
          ? `; ${describeClock(log.clock)}`
          : "";
      const proof = isAuthentic ? "authentic" : `from ${one.remoteAddress}, who proved no key`;
      const since = attempts.some(
        ({ outcome, lastTime }) => outcome === "accepted" && lastTime > one.lastTime,
      );
      return `refused ${when}: ${describeOutcome(one.outcome)}${clock} (${proof})${since ? "; accepted since" : ""}`;
    });
}

/** `just what is known of a clock`, with what it rests on. */
export function describeClockBasis(clock: ClockOffsetView): string {
  const tokens = clock.samples === 1 ? "1 token" : `${clock.samples} tokens`;
  return `${describeClock(clock)} (authentic, by ${tokens} until ${clock.asOfTime})`;
}
