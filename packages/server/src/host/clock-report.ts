/**
 * The self-clock in an operator's words: a log line for each thing that happened, a sentence for health.
 */
import type { Logger } from "pino";
import type { HealthCheck } from "../http/health.ts";
import type { SelfClockEvent, SelfClockStatus } from "../time/self-clock.ts";

/** One line each, `event: "clock_self"`. */
export function logSelfClock(log: Logger): (event: SelfClockEvent) => void {
  return (event) => {
    const { kind, ...facts } = event;
    const line = { event: "clock_self", what: kind, ...facts };
    if (kind === "trusted_again") log.info(line);
    else log.warn(line);
  };
}

/** Never unhealthy: a restart would cut every session, and ask the same wrong clock again. */
export function checkSelfClock(status: SelfClockStatus): HealthCheck {
  const name = "clock_self";
  if (status.isTrusted) return { name, healthy: true };
  return { name, healthy: true, because: sentenceOf(status) };
}

function sentenceOf({ wallAheadSeconds, isSynchronisationLost }: SelfClockStatus): string {
  const apart = Math.abs(wallAheadSeconds);
  if (apart > 1) {
    const where = wallAheadSeconds > 0 ? "ahead of" : "behind";
    return `this machine's clock is ${apart.toFixed(0)} s ${where} what the devices' tokens say; the bridge believes the devices`;
  }
  if (isSynchronisationLost) return "this machine's clock is not synchronised any more";
  return "this machine's clock was set within the last minutes";
}
