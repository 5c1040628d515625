/**
 * State lane: the device's state on its way to the outbox, one at a time and the newest only.
 *
 * A state says how things are, so an older one that was not sent yet is worth nothing beside a newer. One is in the outbox
 * until it is settled, with the outbox's promises; behind it at most one waits, and a newer takes its place. The next goes
 * a second after the one before was answered: the contract has one a second for a device, and ends the connection of
 * whoever says more.
 *
 * Left to others: the outbox (`outbox.ts`), and which connection there is.
 */
import type { Timers } from "@mayfly/core";
import { OneTimer } from "./one-timer.ts";
import type { PublishOutcome } from "./outbox.ts";
import type { Durability } from "./outbox-store.ts";
import type { PublishAnswer } from "./publisher.ts";

/** How soon an outbox that had no room is tried again. */
export const stateRetryMillis = 1_000;

interface Waiting {
  readonly payload: Uint8Array;
  readonly follow: (outcome: PublishOutcome) => void;
  readonly kept: (durability: Durability) => void;
}

export class StateLane {
  readonly #pauseMillis: number;
  readonly #put: (payload: Uint8Array) => PublishAnswer;
  readonly #moved: () => void;
  readonly #timer: OneTimer;
  #phase: "free" | "busy" | "closed" = "free";
  #waiting: Waiting | undefined;

  /**
   * @param put Into the outbox, which keeps a copy of its own.
   * @param moved Something was put there without anybody asking.
   */
  constructor(
    timers: Timers,
    pauseMillis: number,
    put: (payload: Uint8Array) => PublishAnswer,
    moved: () => void,
  ) {
    this.#timer = new OneTimer(timers);
    this.#pauseMillis = pauseMillis;
    this.#put = put;
    this.#moved = moved;
  }

  /** 0 or 1. */
  get waiting(): number {
    return this.#waiting === undefined ? 0 : 1;
  }

  get waitingBytes(): number {
    return this.#waiting?.payload.length ?? 0;
  }

  /** Takes a state. One that waits is `superseded`; what waits is not durable yet. */
  take(payload: Uint8Array): PublishAnswer {
    if (this.#phase === "free") return this.#send(payload);
    this.#drop({ kind: "superseded" });
    let follow: Waiting["follow"] = () => {};
    let kept: Waiting["kept"] = () => {};
    const outcome = new Promise<PublishOutcome>((resolve) => {
      follow = resolve;
    });
    const durable = new Promise<Durability>((resolve) => {
      kept = resolve;
    });
    this.#waiting = { payload: payload.slice(), follow, kept };
    return { kind: "accepted", outcome, durable };
  }

  /** The agent ends; what waits is answered `stopped`. */
  close(): void {
    this.#phase = "closed";
    this.#timer.clear();
    this.#drop({ kind: "stopped" });
  }

  #send(payload: Uint8Array): PublishAnswer {
    const answer = this.#put(payload);
    if (answer.kind === "refused") return answer;
    this.#phase = "busy";
    // It never rejects.
    void answer.outcome.then(() => this.#wait(this.#pauseMillis));
    return answer;
  }

  #wait(millis: number): void {
    if (this.#phase === "busy") this.#timer.set(millis, () => this.#next());
  }

  #next(): void {
    const next = this.#waiting;
    if (next === undefined) {
      this.#phase = "free";
      return;
    }
    const answer = this.#send(next.payload);
    if (answer.kind === "refused") {
      this.#wait(stateRetryMillis);
      return;
    }
    this.#waiting = undefined;
    void answer.outcome.then(next.follow);
    void answer.durable.then(next.kept);
    this.#moved();
  }

  #drop(outcome: PublishOutcome): void {
    this.#waiting?.follow(outcome);
    this.#waiting?.kept("not_kept");
    this.#waiting = undefined;
  }
}
