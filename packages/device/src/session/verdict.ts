/**
 * Verdict: what the end of a connection, or of an attempt at one, calls for, and by which backoff.
 *
 * Left to others: what each Reason Code means (`refusal.ts`), and carrying it out (`supervisor.ts`).
 */
import { type BackoffCause, stableMillis } from "./backoff.ts";
import { backoffCauseOf, type Refusal, type RefusalAction, refusalOfDisconnect } from "./refusal.ts";
import type { SessionEnd, SessionReport } from "./session-report.ts";

type EndReport = Extract<SessionReport, { kind: "ended" }>;

export interface Verdict {
  readonly action: RefusalAction;
  readonly cause: BackoffCause;
  /** Where the bridge said why. */
  readonly refusal: Refusal | undefined;
}

/** A link that came up and brought no CONNACK, or one that we cannot work with. */
export function causeOfFailedAttempt(because: SessionEnd): BackoffCause {
  return because === "not_served" || because === "protocol_error" ? "protocol" : "network";
}

/** @param heldMillis How long we had been connected without a break. */
export function judgeEnd(end: EndReport, heldMillis: number): Verdict {
  const refusal =
    end.because === "bridge_disconnected" && end.reasonCode !== undefined
      ? refusalOfDisconnect(end.reasonCode)
      : undefined;
  const action = refusal?.action ?? "reconnect";
  // A network that falls silent drops nobody.
  const isKicked = action === "reconnect" && heldMillis < stableMillis && end.because !== "ping_timeout";
  return { action, cause: isKicked ? "kicked" : backoffCauseOf[action], refusal };
}
