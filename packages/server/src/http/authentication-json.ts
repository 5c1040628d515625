/**
 * Authentication records as the admin API shows them, and what they say together about the device's clock.
 */
import type { AuthenticationAttempt, AuthenticationEvidence, AuthenticationLog } from "@mayfly/core/admin";
import type { AttemptRecord, AuthenticationRecord, EvidenceRecord } from "../auth/authentication-record.ts";
import { estimateClockOffset } from "../auth/clock-offset.ts";
import { formatMillis } from "./timestamps.ts";

/**
 * @param records newest first, all that are kept: the clock is judged by all of them.
 * @param limit records shown at most; 0: all.
 */
export function formatAuthentications(
  records: readonly AuthenticationRecord[],
  limit: number,
): AuthenticationLog {
  const clock = estimateClockOffset(records);
  const shown = limit === 0 ? records : records.slice(0, limit);
  return {
    records: shown.map((record) =>
      record.kind === "attempt" ? formatAttempt(record) : formatEvidence(record),
    ),
    ...(clock === undefined
      ? {}
      : {
          clock: {
            offsetSeconds: clock.offsetSeconds,
            samples: clock.samples,
            asOfTime: formatMillis(clock.asOfMs),
          },
        }),
  };
}

function formatAttempt(record: AttemptRecord): AuthenticationAttempt {
  const { arrivalMs, lastMs, isFirstSeen, ...same } = record;
  return {
    ...same,
    firstTime: formatMillis(arrivalMs),
    lastTime: formatMillis(lastMs),
    ...(isFirstSeen === undefined ? {} : { firstSeen: isFirstSeen }),
  };
}

function formatEvidence({ arrivalMs, ...same }: EvidenceRecord): AuthenticationEvidence {
  return { ...same, time: formatMillis(arrivalMs) };
}
