/**
 * Believed time: what the device holds its time to be, how far that may be wrong, and how each source's word changes it.
 *
 * A pure machine. The sources that may make a clock trusted (the clock chip, a majority of servers, a signature) set an
 * *estimate*: an interval that holds the true time, and widens with age. What anybody could have forged only shifts what
 * is shown, never the estimate, and the uncertainty shown grows by the shift: so it is true whenever the estimate is. A
 * change of up to a second is slewed. No `iat` falls below one before it: where it would, now is held.
 *
 * Left to others: the table of decisions (`trust-rules.ts`), asking sources and keeping values (`time-keeper.ts`).
 */
import type { NumericDate } from "@mayfly/core";
import { carried, doOverlap, middleOfBoth } from "./carried-sample.ts";
import type { TimeSample } from "./time-sample.ts";
import {
  type Basis,
  boundedStepSecondsMax,
  type Decision,
  findTrustRule,
  forwardSecondsMax,
  type Position,
  type SourceKind,
  type Trust,
} from "./trust-rules.ts";

/** A change of up to a second is slewed at 500 ppm: a second takes 33 minutes. More is a step. */
export const slewPpm = 500;
export const slewSecondsMax = 1;

/** Synced for so long after a majority or a signature was last heard; then in holdover. */
export const syncedMillis = 4 * 3_600_000;

export interface BeliefSettings {
  /** This program did not exist before: no earlier time is believed, whoever tells it. */
  readonly buildFloorSeconds: NumericDate;
  /** Nothing is signed with a clock that may be further off than this. A whole number, at least 1. */
  readonly limitSeconds: number;
  /** How far the monotonic clock may be off. */
  readonly monotonicPpm: number;
}

/** Why nothing may be signed. */
export type WaitingCode =
  | "no_answer"
  /** Somebody told a time, whom anybody could have been. */
  | "needs_majority"
  /** A majority told a time more than a day over the floor. */
  | "needs_signature"
  | "oscillator_stopped"
  /** The clock chip, and what carried its time, contradict each other. */
  | "rtc_disagrees"
  | "too_uncertain"
  /** A time was given before that now seems to be in the future. */
  | "behind_floor";

export interface BelievedTime {
  readonly trust: Trust;
  /** Since when, monotonic. */
  readonly sinceMillis: number;
  /** Why it is untrusted, while it is. */
  readonly because: WaitingCode;
  /** Present while trusted. */
  readonly estimate: TimeSample | undefined;
  readonly basis: Basis | undefined;
  /** The last that made the clock trusted, or confirmed it. */
  readonly source: SourceKind | undefined;
  readonly syncedAtMillis: number;
  /** Where what is shown is heading, less the estimate; and where it was at an instant on its way. */
  readonly leanSeconds: number;
  readonly shiftSeconds: number;
  readonly shiftAtMillis: number;
  /** Of the 24 h rule: believed once, at most an hour ago while trusted. */
  readonly floorSeconds: NumericDate;
  /** The greatest `iat` that what was given allows; never below the floor. */
  readonly iatSeconds: NumericDate;
}

/** What a source told, and what came of it. */
export interface Verdict {
  readonly belief: BelievedTime;
  readonly decision: Decision;
  readonly position: Position;
  /** What was shown less what is shown now; 0 where nothing was shown before, or it is slewed. */
  readonly steppedSeconds: number;
  readonly isFloorLowered: boolean;
}

export interface ShownTime {
  readonly now: NumericDate;
  readonly uncertaintySeconds: number;
}

export type ReadyOrNot =
  | { readonly kind: "ready"; readonly now: NumericDate; readonly uncertaintySeconds: number }
  | { readonly kind: "waiting"; readonly because: WaitingCode };

/** @param storedFloorSeconds What an earlier life of this device believed at its end; 0 where nothing is known. */
export function unbelieved(
  settings: BeliefSettings,
  nowMillis: number,
  storedFloorSeconds: NumericDate,
): BelievedTime {
  const floorSeconds = Math.max(settings.buildFloorSeconds, storedFloorSeconds);
  return {
    trust: "untrusted",
    sinceMillis: nowMillis,
    because: "no_answer",
    estimate: undefined,
    basis: undefined,
    source: undefined,
    syncedAtMillis: 0,
    leanSeconds: 0,
    shiftSeconds: 0,
    shiftAtMillis: nowMillis,
    floorSeconds,
    iatSeconds: floorSeconds,
  };
}

/**
 * A source told the time.
 *
 * @param told Its kind, its sample, and for the clock chip what its record rests on.
 * @param at `mayStep`: nobody minds a step of less than a second, for there is no session.
 */
export function weigh(
  before: BelievedTime,
  told: { readonly source: SourceKind; readonly sample: TimeSample; readonly basis?: Basis },
  at: { readonly nowMillis: number; readonly mayStep: boolean },
  settings: BeliefSettings,
): Verdict {
  const { nowMillis } = at;
  const sample = carried(told.sample, nowMillis, settings.monotonicPpm);
  const estimate = estimateAt(before, nowMillis, settings);
  const position = positionOf(sample, estimate, before, settings);
  const { decision } = findTrustRule({
    source: told.source,
    trust: before.trust,
    position,
    basis: before.basis,
  });
  const unmoved = { decision, position, steppedSeconds: 0, isFloorLowered: false };
  switch (decision) {
    case "adopt":
      return { ...unmoved, ...adopt(before, { ...told, sample }, at, settings) };
    case "sharpen": {
      const isSharper = estimate === undefined || sample.boundSeconds <= estimate.boundSeconds;
      const kept = isSharper ? sample : estimate;
      const verdict = adopt(before, { ...told, sample: kept }, at, settings);
      // A chip only carries on what others vouched for; a majority within a signed time adds nothing to it.
      const basis = told.source === "signed" ? "signed" : (before.basis ?? "majority");
      return { ...unmoved, ...verdict, belief: { ...verdict.belief, basis } };
    }
    case "lean":
    case "step": {
      if (estimate === undefined) return { ...unmoved, belief: before };
      const lean = leanTo(sample, estimate, decision, settings);
      const moved = lean === undefined ? before : { ...before, leanSeconds: lean };
      return { ...unmoved, ...showing(before, moved, at, settings) };
    }
    case "distrust":
      return { ...unmoved, belief: distrusted(before, "rtc_disagrees", nowMillis) };
    case "ask-signed":
      return { ...unmoved, belief: missing(before, whatIsMissing(told.source)) };
    case "ignore":
      return { ...unmoved, belief: before };
  }
}

/** The clock is believed no more, until a source may make it trusted again. */
export function distrusted(before: BelievedTime, because: WaitingCode, nowMillis: number): BelievedTime {
  return {
    ...before,
    trust: "untrusted",
    because,
    sinceMillis: before.trust === "untrusted" ? before.sinceMillis : nowMillis,
    estimate: undefined,
    basis: undefined,
    leanSeconds: 0,
    shiftSeconds: 0,
  };
}

/** Says better why an untrusted clock is. */
export function missing(before: BelievedTime, because: WaitingCode): BelievedTime {
  return before.trust === "untrusted" && before.because !== because ? { ...before, because } : before;
}

/** Time went by: what was synced long ago is in holdover. */
export function aged(before: BelievedTime, nowMillis: number): BelievedTime {
  if (before.trust !== "synced" || nowMillis - before.syncedAtMillis <= syncedMillis) return before;
  return { ...before, trust: "holdover", sinceMillis: nowMillis };
}

/** The floor follows what is believed: to be called at most hourly, when it is stored. */
export function withFloorRaised(
  before: BelievedTime,
  nowMillis: number,
  settings: BeliefSettings,
): BelievedTime {
  const estimate = estimateAt(before, nowMillis, settings);
  if (estimate === undefined) return before;
  const floorSeconds = Math.max(before.floorSeconds, Math.floor(estimate.seconds - estimate.boundSeconds));
  return { ...before, floorSeconds, iatSeconds: Math.max(before.iatSeconds, floorSeconds) };
}

/** What is shown at an instant, at or after all that happened; undefined while untrusted. */
export function shownAt(
  belief: BelievedTime,
  atMillis: number,
  settings: BeliefSettings,
): ShownTime | undefined {
  const estimate = estimateAt(belief, atMillis, settings);
  if (estimate === undefined) return undefined;
  const shift = shiftAt(belief, atMillis);
  return {
    now: estimate.seconds + shift,
    uncertaintySeconds: estimate.boundSeconds + Math.abs(shift),
  };
}

/** May anything be signed, and with what time? */
export function readinessAt(belief: BelievedTime, atMillis: number, settings: BeliefSettings): ReadyOrNot {
  const shown = shownAt(belief, atMillis, settings);
  if (shown === undefined) return { kind: "waiting", because: belief.because };
  const { now, uncertaintySeconds } = shown;
  if (uncertaintySeconds > settings.limitSeconds) return { kind: "waiting", because: "too_uncertain" };
  if (now + uncertaintySeconds < belief.iatSeconds) return { kind: "waiting", because: "behind_floor" };
  if (iatOf(shown) >= belief.iatSeconds) return { kind: "ready", now, uncertaintySeconds };
  // The true time is not before the last `iat`, nor after now + uncertainty: this interval has room for both.
  const held = Math.ceil(uncertaintySeconds);
  return { kind: "ready", now: belief.iatSeconds + held, uncertaintySeconds: held };
}

/** This time was given to somebody, who may have signed with it. */
export function given(before: BelievedTime, shown: ShownTime): BelievedTime {
  const iatSeconds = iatOf(shown);
  return iatSeconds > before.iatSeconds ? { ...before, iatSeconds } : before;
}

/** As a token is backdated: core's `tokenClaimsFor`. */
function iatOf({ now, uncertaintySeconds }: ShownTime): NumericDate {
  return Math.floor(now) - Math.ceil(uncertaintySeconds);
}

function adopt(
  before: BelievedTime,
  { source, sample, basis }: { source: SourceKind; sample: TimeSample; basis?: Basis },
  at: { readonly nowMillis: number; readonly mayStep: boolean },
  settings: BeliefSettings,
): Pick<Verdict, "belief" | "steppedSeconds" | "isFloorLowered"> {
  const isSync = source !== "rtc";
  const trust = isSync ? "synced" : before.trust === "untrusted" ? "holdover" : before.trust;
  const moved: BelievedTime = {
    ...before,
    trust,
    sinceMillis: trust === before.trust ? before.sinceMillis : at.nowMillis,
    estimate: sample,
    basis: basis ?? (source === "signed" ? "signed" : "majority"),
    source: isSync || before.source === undefined ? source : before.source,
    syncedAtMillis: isSync ? at.nowMillis : before.syncedAtMillis,
    leanSeconds: isSync ? 0 : leanKept(before, sample, settings),
  };
  const shown = showing(before, moved, at, settings);
  // What was given before was wrong by more than slewing mends, so it binds nobody: mint with the corrected time.
  const lowest = Math.floor(sample.seconds - sample.boundSeconds);
  const isWronged = isSync && sample.seconds + sample.boundSeconds + slewSecondsMax < before.iatSeconds;
  if (!isWronged) return { ...shown, isFloorLowered: false };
  const floorSeconds = Math.max(settings.buildFloorSeconds, Math.min(before.floorSeconds, lowest));
  return {
    ...shown,
    belief: { ...shown.belief, floorSeconds, iatSeconds: Math.max(settings.buildFloorSeconds, lowest) },
    isFloorLowered: floorSeconds < before.floorSeconds,
  };
}

/** The estimate or the lean changed: what is shown follows at once, or is slewed. */
function showing(
  before: BelievedTime,
  moved: BelievedTime,
  at: { readonly nowMillis: number; readonly mayStep: boolean },
  settings: BeliefSettings,
): Pick<Verdict, "belief" | "steppedSeconds"> {
  const shown = shownAt(before, at.nowMillis, settings);
  const estimate = estimateAt(moved, at.nowMillis, settings);
  const target = { ...moved, shiftSeconds: moved.leanSeconds, shiftAtMillis: at.nowMillis };
  if (shown === undefined || estimate === undefined) return { belief: target, steppedSeconds: 0 };
  const shift = shown.now - estimate.seconds;
  const wayToGo = moved.leanSeconds - shift;
  if (at.mayStep || Math.abs(wayToGo) > slewSecondsMax) return { belief: target, steppedSeconds: wayToGo };
  return { belief: { ...target, shiftSeconds: shift }, steppedSeconds: 0 };
}

/** @returns Where the clock may lean for such a word, less the estimate; undefined: nowhere new. */
function leanTo(
  sample: TimeSample,
  estimate: TimeSample,
  decision: "lean" | "step",
  { limitSeconds }: BeliefSettings,
): number | undefined {
  const room = limitSeconds - estimate.boundSeconds;
  const isPossible = doOverlap(sample, estimate);
  const wish = (isPossible ? middleOfBoth(sample, estimate) : sample.seconds) - estimate.seconds;
  // A word that anybody could have forged shall not keep a device from signing either.
  if (decision === "step") {
    return Math.abs(wish) > Math.min(room, boundedStepSecondsMax) ? undefined : wish;
  }
  const most = Math.max(0, Math.min(room, estimate.boundSeconds));
  return Math.max(-most, Math.min(most, wish));
}

/** The chip tells the time on, not whether those were right to whom the clock leans. */
function leanKept(before: BelievedTime, sample: TimeSample, settings: BeliefSettings): number {
  const estimate = estimateAt(before, sample.atMillis, settings);
  if (estimate === undefined || before.leanSeconds === 0) return 0;
  const lean = estimate.seconds + before.leanSeconds - sample.seconds;
  return Math.abs(lean) + sample.boundSeconds > settings.limitSeconds ? 0 : lean;
}

function whatIsMissing(source: SourceKind): WaitingCode {
  return source === "ntp-agreed" ? "needs_signature" : "needs_majority";
}

/** @param sample carried to the estimate's instant. */
function positionOf(
  sample: TimeSample,
  estimate: TimeSample | undefined,
  { floorSeconds, iatSeconds }: BelievedTime,
  { buildFloorSeconds }: BeliefSettings,
): Position {
  const latest = sample.seconds + sample.boundSeconds;
  if (latest < buildFloorSeconds) return "before-build";
  const isFar = sample.seconds > floorSeconds + forwardSecondsMax;
  if (estimate === undefined) return isFar ? "far" : latest < iatSeconds ? "behind" : "within";
  if (doOverlap(sample, estimate)) return "within";
  return sample.seconds < estimate.seconds ? "behind" : isFar ? "far" : "ahead";
}

function estimateAt(
  { estimate }: BelievedTime,
  atMillis: number,
  { monotonicPpm }: BeliefSettings,
): TimeSample | undefined {
  return estimate === undefined ? undefined : carried(estimate, atMillis, monotonicPpm);
}

function shiftAt({ leanSeconds, shiftSeconds, shiftAtMillis }: BelievedTime, atMillis: number): number {
  const most = Math.max(0, atMillis - shiftAtMillis) * 1e-3 * slewPpm * 1e-6;
  const wayToGo = leanSeconds - shiftSeconds;
  return shiftSeconds + Math.max(-most, Math.min(most, wayToGo));
}
