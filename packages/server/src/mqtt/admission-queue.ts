/**
 * Admission queue: CONNECTs wait for their turn when more come than one turn of the event loop should judge.
 *
 * A verification costs a tenth of a millisecond in which nobody else is served, so a turn has a budget, and what
 * is above it waits. Whose right ends soonest goes first: a device that is connected renews before one that has
 * just booted, so a storm of newcomers costs no live session its token. Newcomers keep their order.
 *
 * Bounded by the connections that are not admitted (`unauthenticatedMax`), since each waits at most once.
 */
import type { Timers } from "@mayfly/core";
import { DeadlineHeap, type HeapEntry } from "../time/deadline-heap.ts";
import { admissionsPerTurnMax } from "./limits.ts";

interface Applicant extends HeapEntry {
  readonly proceed: () => void;
}

/** Behind every deadline there can be. */
const newcomersFrom = 2 ** 52;

export class AdmissionQueue {
  readonly #timers: Timers;
  readonly #waiting = new DeadlineHeap<Applicant>();
  #left = admissionsPerTurnMax;
  #newcomers = 0;
  #isTurnAwaited = false;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /**
   * @param rightEndsMillis of the device's live session, monotonic; undefined for a newcomer.
   * @param proceed called at once where the turn has room. @returns leave the queue.
   */
  enter(rightEndsMillis: number | undefined, proceed: () => void): () => void {
    if (this.#left > 0 && this.#waiting.size === 0) {
      this.#spend();
      proceed();
      return () => undefined;
    }
    const applicant: Applicant = { dueMillis: 0, heapIndex: -1, proceed };
    this.#newcomers += 1;
    this.#waiting.set(applicant, rightEndsMillis ?? newcomersFrom + this.#newcomers);
    this.#awaitTurn();
    return () => this.#waiting.remove(applicant);
  }

  #spend(): void {
    this.#left -= 1;
    this.#awaitTurn();
  }

  #awaitTurn(): void {
    if (this.#isTurnAwaited) return;
    this.#isTurnAwaited = true;
    this.#timers.after(0, () => {
      this.#isTurnAwaited = false;
      this.#left = admissionsPerTurnMax;
      while (this.#left > 0) {
        const { first } = this.#waiting;
        if (first === undefined) return;
        this.#waiting.remove(first);
        this.#spend();
        first.proceed();
      }
    });
  }
}
