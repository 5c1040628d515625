/**
 * Token supply: the next token, from a clock that was asked again first where the last one may have been refused for
 * its time.
 *
 * Left to others: the signing itself (`token-keeper.ts`), when a token is wanted, and what becomes of it
 * (`supervisor.ts`).
 */
import type { AgentPorts, TimeHint } from "../ports.ts";
import { ClockDoubt, clockAheadSeconds, mayBeForTime, type TokenRefusalFacts } from "./clock-doubt.ts";
import {
  createTokenKeeper,
  type MintAnswer,
  type SignerNow,
  type TokenKeeper,
  type TokenOrder,
} from "./token-keeper.ts";

export type SupplyAnswer =
  | MintAnswer
  /** The clock is as it was, and would sign what was refused already. */
  | { readonly kind: "clock_unchanged" };

export class TokenSupply {
  readonly #ports: Pick<AgentPorts, "clock" | "time">;
  readonly #keeper: TokenKeeper;
  readonly #doubt: ClockDoubt;
  readonly #clockAsked: (outcome: "corrected" | "unchanged") => void;
  #isUnderWay = false;

  /** @param clockAsked Told when the clock has answered, before anything is signed. */
  constructor(
    ports: Pick<AgentPorts, "clock" | "timers" | "sha256" | "time">,
    keys: SignerNow,
    order: TokenOrder,
    clockAsked: (outcome: "corrected" | "unchanged") => void,
  ) {
    this.#ports = ports;
    this.#keeper = createTokenKeeper(ports, keys, order);
    this.#doubt = new ClockDoubt(ports);
    this.#clockAsked = clockAsked;
  }

  /** A token is being made, or the clock asked what time it is for it. */
  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  /** Asks for a token; answers once, never synchronously. One request at a time. */
  ask(answer: (answer: SupplyAnswer) => void): void {
    this.#isUnderWay = true;
    const settle = (settled: SupplyAnswer): void => {
      this.#isUnderWay = false;
      answer(settled);
    };
    if (!this.#doubt.isRaised) {
      this.#keeper.mint(settle);
      return;
    }
    this.#doubt.ask((outcome) => {
      this.#clockAsked(outcome);
      // A listener may have stopped the agent.
      if (!this.#isUnderWay) return;
      if (outcome === "corrected") this.#keeper.mint(settle);
      else settle({ kind: "clock_unchanged" });
    });
  }

  /** A CONNECT's token was refused. @returns Whether that is worth asking the clock, and at once another token. */
  refused(facts: TokenRefusalFacts): boolean {
    const isForTime = mayBeForTime(facts, this.#ports.time.readiness(), this.#ports.clock.monotonicMillis());
    return isForTime && this.doubtClock(facts.hint);
  }

  /** How far our clock is ahead of the time in a hint, where both are known. */
  clockAheadSeconds(hint: TimeHint | undefined): number | undefined {
    return clockAheadSeconds(hint, this.#ports.time.readiness(), this.#ports.clock.monotonicMillis());
  }

  /** A token was refused for its time. @returns false: the clock was asked since the bridge last took a new token. */
  doubtClock(hint: TimeHint | undefined): boolean {
    return this.#doubt.raise(hint);
  }

  /** The bridge took the newest token. */
  taken(): void {
    this.#doubt.dispel();
  }

  /** Forgets a request under way; its answer will not come. */
  cancel(): void {
    this.#keeper.cancel();
    this.#doubt.forget();
    this.#isUnderWay = false;
  }
}
