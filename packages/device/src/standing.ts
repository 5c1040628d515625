/**
 * Standing: how the agent fares, as its status shows it and its events tell it.
 *
 * Left to others: what happens (`supervisor.ts`), and what happens to messages (`publisher.ts`).
 */
import { GapMeter } from "./gap-meter.ts";
import type { BackoffCause } from "./session/backoff.ts";
import type { ReasonWords } from "./session/reason-words.ts";
import { backoffCauseOf, type Refusal } from "./session/refusal.ts";
import type { AgentEvent, AgentState, AgentStatus, AgentTrouble, RenewalKind } from "./status.ts";

export class Standing {
  readonly gap = new GapMeter();
  readonly #tell: (event: AgentEvent) => void;
  #state: AgentState = "stopped";
  readonly #renewalsBy: Record<RenewalKind, number> = { reauthentication: 0, handover: 0, reconnect: 0 };
  #connects = 0;
  #lastRefusal: string | undefined;
  #waitingBecause: string | undefined;
  #trouble: AgentTrouble | undefined;
  /** As the bridge last told it; a bridge that ends a session on time tells none. */
  #clockAheadSeconds: number | undefined;
  #retry: { readonly because: BackoffCause; readonly dueMillis: number } | undefined;

  constructor(tell: (event: AgentEvent) => void) {
    this.#tell = tell;
  }

  get connects(): number {
    return this.#connects;
  }

  facts(
    nowMillis: number,
  ): Pick<
    AgentStatus,
    | "state"
    | "waitingBecause"
    | "retry"
    | "trouble"
    | "renewals"
    | "renewalsBy"
    | "connects"
    | "longestGapMillis"
    | "lastRefusal"
  > {
    const { reauthentication, handover, reconnect } = this.#renewalsBy;
    return {
      state: this.#state,
      ...(this.#waitingBecause === undefined ? undefined : { waitingBecause: this.#waitingBecause }),
      ...(this.#retry === undefined
        ? undefined
        : {
            retry: {
              because: this.#retry.because,
              inSeconds: Math.max(0, (this.#retry.dueMillis - nowMillis) / 1000),
            },
          }),
      ...(this.#trouble === undefined ? undefined : { trouble: this.#trouble }),
      renewals: reauthentication + handover + reconnect,
      renewalsBy: { reauthentication, handover, reconnect },
      connects: this.#connects,
      longestGapMillis: this.gap.longestMillis,
      ...(this.#lastRefusal === undefined ? undefined : { lastRefusal: this.#lastRefusal }),
    };
  }

  enter(state: AgentState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#tell({ kind: "state", state });
  }

  /** The state that follows from what is under way. */
  show(now: {
    readonly isConnected: boolean;
    readonly isMinting: boolean;
    readonly isConnecting: boolean;
    readonly isReauthenticating: boolean;
  }): void {
    // A clock that is not believed is asked again and again: that is waiting, not minting.
    const isMinting = now.isMinting && this.#waitingBecause === undefined;
    if (now.isConnected) {
      this.enter(isMinting || now.isConnecting || now.isReauthenticating ? "renewing" : "connected");
      return;
    }
    if (isMinting) this.enter("minting");
    else if (now.isConnecting) this.enter("connecting");
    else this.enter(this.#waitingBecause === undefined ? "backing_off" : "waiting_for_clock");
  }

  /** Nothing is signed now. */
  wait(because: string): void {
    if (because === this.#waitingBecause) return;
    this.#waitingBecause = because;
    this.#tell({ kind: "waiting_for_clock", because });
  }

  /** The clock is good enough to sign with. */
  waitNoMore(): void {
    this.#waitingBecause = undefined;
  }

  /** A step failed. It stands in the status until {@link mended}. */
  fail(because: BackoffCause, detail: string): void {
    const clockAheadSeconds = because === "refused" ? this.#clockAheadSeconds : undefined;
    this.#trouble = {
      because,
      detail,
      ...(clockAheadSeconds === undefined ? undefined : { clockAheadSeconds }),
    };
  }

  /** The newest token is in use. */
  mended(): void {
    this.#trouble = undefined;
    this.#clockAheadSeconds = undefined;
  }

  /** The next try comes at `dueMillis`, monotonic. */
  backOff(because: BackoffCause, dueMillis: number): void {
    this.#retry = { because, dueMillis };
  }

  /** The next try is under way, or there is none. */
  backOffNoMore(): void {
    this.#retry = undefined;
  }

  /** A CONNECT was accepted. @param renewal absent where it is the first, or mends what was lost. */
  connected(gapMillis: number, renewal: RenewalKind | undefined): void {
    this.#connects += 1;
    this.enter("connected");
    this.#tell({ kind: "connected", renewal: renewal !== undefined, gapMillis });
    if (renewal !== undefined) this.renewed(renewal, gapMillis);
  }

  /** A new token is in use in place of an old one. */
  renewed(by: RenewalKind, gapMillis: number): void {
    this.#renewalsBy[by] += 1;
    this.#tell({ kind: "renewed", by, gapMillis });
  }

  refused(reasonCode: number, refusal: Refusal, words: ReasonWords, clockAheadSeconds?: number): void {
    this.#clockAheadSeconds = clockAheadSeconds ?? this.#clockAheadSeconds;
    this.fail(backoffCauseOf[refusal.action], refusal.sentence);
    this.#lastRefusal = refusal.sentence;
    const { reasonString, serverReference } = words;
    this.#tell({
      ...{ kind: "refused", reasonCode, ...refusal },
      ...(reasonString === undefined ? undefined : { reasonString }),
      ...(serverReference === undefined ? undefined : { serverReference }),
    });
  }
}
