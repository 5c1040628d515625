/**
 * Aging discipline: whether the clock chip's aging offset should be trimmed, by the drift that was fitted.
 *
 * Rarely, and by little: the offset is a register in a chip that other programs may share, a trim takes a day to be seen,
 * and correcting in software does as well meanwhile. So it is off unless the operator wants it, moves by 10 steps
 * (about 1 ppm) at most, and not at all where the fit could not tell a fast clock from a slow one.
 *
 * Left to others: writing the offset and remembering when and from what (the caller), after which the fit is restarted.
 */
import type { NumericDate } from "@mayfly/core";
import type { DriftEstimate } from "./drift-fit.ts";

/** What one step of a DS3231's aging offset does at 25 °C; positive slows. */
export const agingStepPpm = 0.1;
export const agingStepsMax = 10;
export const agingOffsetMax = 127;
/** A drift below this is left alone. */
export const agingDriftPpmMin = 0.5;
/** More than this between coldest and warmest, and the drift is that of the weather. */
export const agingTemperatureSpanMax = 10;
export const agingRestSecondsMin = 24 * 3_600;

export type AgingDecision =
  | { readonly kind: "trim"; readonly from: number; readonly to: number }
  | {
      readonly kind: "leave";
      readonly because:
        | "off"
        /** Less than a day was fitted. */
        | "no_estimate"
        | "drift_is_small"
        /** The bound of the fit reaches over 0. */
        | "drift_is_uncertain"
        | "temperature_moved"
        | "trimmed_lately"
        /** The offset is at its end. */
        | "at_limit";
    };

/** @param state `aging`: the offset as last read. `trimmedSeconds`: when it was last trimmed, if ever. */
export function decideAging(
  policy: "off" | "on",
  state: {
    readonly aging: number;
    readonly now: NumericDate;
    readonly trimmedSeconds: NumericDate | undefined;
    readonly drift: DriftEstimate | undefined;
  },
): AgingDecision {
  const { aging, now, trimmedSeconds, drift } = state;
  if (policy === "off") return { kind: "leave", because: "off" };
  if (drift === undefined) return { kind: "leave", because: "no_estimate" };
  // A trim that lies in the future is one of another timeline: it holds nobody up for longer than the rest.
  if (trimmedSeconds !== undefined && Math.abs(now - trimmedSeconds) < agingRestSecondsMin)
    return { kind: "leave", because: "trimmed_lately" };
  if (drift.temperatureSpanC > agingTemperatureSpanMax)
    return { kind: "leave", because: "temperature_moved" };
  if (Math.abs(drift.ppm) < agingDriftPpmMin) return { kind: "leave", because: "drift_is_small" };
  if (Math.abs(drift.ppm) <= drift.boundPpm) return { kind: "leave", because: "drift_is_uncertain" };
  const steps = clamp(Math.round(drift.ppm / agingStepPpm), agingStepsMax);
  const to = clamp(aging + steps, agingOffsetMax);
  // From -128, which the chip takes and we never write, there is no way further down.
  return (to - aging) * steps > 0
    ? { kind: "trim", from: aging, to }
    : { kind: "leave", because: "at_limit" };
}

const clamp = (value: number, limit: number): number => Math.max(-limit, Math.min(limit, value));
