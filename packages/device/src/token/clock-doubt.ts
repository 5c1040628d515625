/**
 * Clock doubt: a token was refused, and a wrong clock may be why. The clock is asked to correct itself, once, before
 * the next token is made.
 *
 * Once for each time the bridge takes a token: a clock that could not be corrected, or that was and is refused all the
 * same, would otherwise be asked for ever while nothing changes. From then on the agent backs off, and its clock goes
 * on asking its own sources.
 *
 * Left to others: what may move the clock (`ports.time`), and what follows (`supervisor.ts`).
 */
import type { CancelTimer } from "@mayfly/core";
import type { AgentPorts, Readiness, TimeHint } from "../ports.ts";
import type { TimeRefusal } from "../session/bridge-hints.ts";

/** `DeviceTime.correct` promises an answer within this; a clock that gives none is as it was. */
export const correctionMillisMax = 30_000;

export class ClockDoubt {
  readonly #ports: Pick<AgentPorts, "timers" | "time">;
  #stage: "none" | "raised" | "asked" = "none";
  #hint: TimeHint | undefined;
  /** What is told when the clock answers. */
  #answer: ((outcome: "corrected" | "unchanged") => void) | undefined;
  #cancelDeadline: CancelTimer | undefined;

  constructor(ports: Pick<AgentPorts, "timers" | "time">) {
    this.#ports = ports;
  }

  /** The clock is to be asked before anything else is signed. */
  get isRaised(): boolean {
    return this.#stage === "raised";
  }

  /** @param hint The bridge's time, where it said so. @returns false: it was asked since a token was last taken. */
  raise(hint: TimeHint | undefined): boolean {
    if (this.#stage !== "none") return false;
    this.#stage = "raised";
    this.#hint = hint;
    return true;
  }

  /** Asks the clock. @param settle Told once, never synchronously, unless {@link forget} or {@link dispel} comes first. */
  ask(settle: (outcome: "corrected" | "unchanged") => void): void {
    const hint = this.#hint;
    this.#stage = "asked";
    this.#hint = undefined;
    const answer = (outcome: "corrected" | "unchanged"): void => {
      if (this.#answer !== answer) return;
      this.forget();
      settle(outcome);
    };
    this.#answer = answer;
    this.#cancelDeadline = this.#ports.timers.after(correctionMillisMax, () => answer("unchanged"));
    this.#ports.time.correct(hint, answer);
  }

  /** The bridge took a token made since: the clock is as good as the bridge's, for all that matters. */
  dispel(): void {
    this.forget();
    this.#stage = "none";
    this.#hint = undefined;
  }

  /** The answer to {@link ask} is of no interest any more. */
  forget(): void {
    this.#answer = undefined;
    this.#cancelDeadline?.();
    this.#cancelDeadline = undefined;
  }
}

/** What came with a refusal of a token. */
export interface TokenRefusalFacts {
  readonly hint?: TimeHint;
  readonly refusedFor?: TimeRefusal;
}

/**
 * Whether a refusal of a token may be the clock's doing: the bridge says so, or its time is not ours, or it says nothing
 * at all (in MQTT 3.1.1 it cannot).
 *
 * @param nowMillis The monotonic instant of `readiness`.
 */
export function mayBeForTime(refusal: TokenRefusalFacts, readiness: Readiness, nowMillis: number): boolean {
  const { hint, refusedFor } = refusal;
  if (refusedFor !== undefined || hint === undefined || readiness.kind === "waiting") return true;
  const { serverTime, sentMillis, receivedMillis } = hint;
  const ownTime = (millis: number): number => readiness.now + (millis - nowMillis) / 1000;
  const earliest = ownTime(sentMillis) - readiness.uncertaintySeconds;
  const latest = ownTime(receivedMillis) + readiness.uncertaintySeconds;
  return serverTime < earliest || serverTime > latest;
}

/**
 * @param nowMillis The monotonic instant of `readiness`.
 * @returns How far our clock is ahead of the bridge's, below 0 for behind, to half a round trip.
 */
export function clockAheadSeconds(
  hint: TimeHint | undefined,
  readiness: Readiness,
  nowMillis: number,
): number | undefined {
  if (hint === undefined || readiness.kind === "waiting") return undefined;
  const midMillis = (hint.sentMillis + hint.receivedMillis) / 2;
  return readiness.now + (midMillis - nowMillis) / 1000 - hint.serverTime;
}
