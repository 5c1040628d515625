/**
 * One chip, many callers: operations run one at a time, in the order they came, and a bounded number wait.
 */
import { ChipError } from "./chip-error.ts";

/** Operations that may wait behind the running one. A token takes 0.1 s: whoever is the 17th has lost 2 s already. */
export const QUEUE_WAITING_MAX = 16;

export class CommandQueue {
  #tail: Promise<void> = Promise.resolve();
  #pending = 0;

  /** @throws {ChipError} (rejects) `queue_full`; else whatever `run` gives. */
  enqueue<T>(run: () => Promise<T>): Promise<T> {
    if (this.#pending > QUEUE_WAITING_MAX) {
      return Promise.reject(
        new ChipError("queue_full", `${QUEUE_WAITING_MAX} callers wait for the chip already`, {
          waiting: QUEUE_WAITING_MAX,
        }),
      );
    }
    this.#pending += 1;
    const result = this.#tail.then(run);
    const done = (): void => {
      this.#pending -= 1;
    };
    // The tail must never reject: the next operation starts whatever became of this one.
    this.#tail = result.then(done, done);
    return result;
  }
}
