/**
 * Trust rules: whose word may do what to the clock, as a table.
 *
 * A source is judged by its kind, by how far the clock is trusted already, and by where the time it tells lies. What
 * anybody on the way can forge (one server, a hint) never makes a clock trusted and never unmakes one; what several
 * servers agree on may, within a day of the floor; beyond that only a signature counts. The first row that fits decides.
 *
 * Left to others: what a decision does (`believed-time.ts`). `docs/reference/clock.md` shows the same table.
 */

/** `ntp-agreed`: a majority of three servers or more. `ntp-single`: fewer answered. `hint`: the bridge's, unsigned. */
export type SourceKind = "rtc" | "ntp-agreed" | "ntp-single" | "signed" | "hint";

/** `holdover`: carried on since a source was believed. `synced`: a source that may make the clock trusted said so lately. */
export type Trust = "untrusted" | "holdover" | "synced";

/**
 * Where the time told lies. `before-build`: before this program existed. `within`: both can be right; of an untrusted
 * clock, from the floor to 24 h over it. `ahead`, `behind`: only one of them can be right; of an untrusted clock,
 * behind the floor. `far`: as `ahead`, and more than 24 h over the floor.
 */
export type Position = "before-build" | "within" | "ahead" | "behind" | "far";

/** What the trusted clock rests on: the word of a signature, or of a majority. */
export type Basis = "signed" | "majority";

export type Decision =
  /** It is the time now, whatever was before. */
  | "adopt"
  /** Both are right: the sharper one is the time. */
  | "sharpen"
  /** The clock moves towards it, by at most its own uncertainty, which grows by as much. */
  | "lean"
  /** As `lean`, up to {@link boundedStepSecondsMax}. */
  | "step"
  /** Nothing moves, and a signed answer is asked for. */
  | "ask-signed"
  | "ignore"
  /** The clock is believed no more. */
  | "distrust";

export interface TrustRule {
  readonly source: SourceKind | "any";
  readonly trust: "untrusted" | "trusted" | "any";
  readonly positions: readonly Position[] | "any";
  /** Only where the clock rests on this. */
  readonly basis?: Basis;
  readonly decision: Decision;
}

/** No unsigned source moves the clock further forward than this over the floor. */
export const forwardSecondsMax = 86_400;

/** One server moves a trusted clock by no more than this from where the trusted sources have it. */
export const boundedStepSecondsMax = 60;

export const trustRules: readonly TrustRule[] = [
  { source: "any", trust: "any", positions: ["before-build"], decision: "ignore" },
  { source: "signed", trust: "trusted", positions: ["within"], decision: "sharpen" },
  { source: "signed", trust: "any", positions: "any", decision: "adopt" },
  // A chip that kept the time of a recorded sync is the clock itself, not a source that moves it.
  { source: "rtc", trust: "untrusted", positions: ["within", "far"], decision: "adopt" },
  { source: "rtc", trust: "untrusted", positions: ["behind"], decision: "ignore" },
  { source: "rtc", trust: "trusted", positions: ["within"], decision: "sharpen" },
  { source: "rtc", trust: "trusted", positions: ["ahead", "behind", "far"], decision: "distrust" },
  { source: "ntp-agreed", trust: "any", positions: ["far"], decision: "ask-signed" },
  { source: "ntp-agreed", trust: "untrusted", positions: ["within", "behind"], decision: "adopt" },
  { source: "ntp-agreed", trust: "trusted", positions: ["within"], decision: "sharpen" },
  {
    source: "ntp-agreed",
    trust: "trusted",
    positions: ["ahead", "behind"],
    basis: "signed",
    decision: "ask-signed",
  },
  { source: "ntp-agreed", trust: "trusted", positions: ["ahead", "behind"], decision: "adopt" },
  { source: "ntp-single", trust: "trusted", positions: ["within", "ahead", "behind"], decision: "step" },
  { source: "hint", trust: "trusted", positions: ["within", "ahead", "behind"], decision: "lean" },
  // What anybody could have forged, with nothing to hold it against, or a day off.
  { source: "ntp-single", trust: "any", positions: "any", decision: "ask-signed" },
  { source: "hint", trust: "any", positions: "any", decision: "ask-signed" },
];

export interface Situation {
  readonly source: SourceKind;
  readonly trust: Trust;
  readonly position: Position;
  readonly basis: Basis | undefined;
}

/** @returns The first rule that fits; the table has one for every situation. */
export function findTrustRule(situation: Situation): TrustRule {
  for (const rule of trustRules) if (fits(rule, situation)) return rule;
  throw new Error("a situation without a rule of trust");
}

function fits(rule: TrustRule, { source, trust, position, basis }: Situation): boolean {
  return (
    (rule.source === "any" || rule.source === source) &&
    (rule.trust === "any" || (rule.trust === "untrusted") === (trust === "untrusted")) &&
    (rule.positions === "any" || rule.positions.includes(position)) &&
    (rule.basis === undefined || rule.basis === basis)
  );
}
