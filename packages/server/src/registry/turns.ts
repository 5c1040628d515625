/**
 * Turns: tasks on one thing run one after the other, tasks on different things side by side.
 *
 * A change that reads a device, decides and writes it back must not interleave with another on the same device.
 */
import { RegistryError } from "./error.ts";

/** Tasks that wait or run for one name; a further one is refused. */
export const TURNS_WAITING_MAX = 100;

export interface Turns {
  /** Runs `task` when all earlier ones of this name have ended, well or not. @throws {RegistryError} precondition_failed: too many wait. */
  take<T>(name: string, task: () => Promise<T>): Promise<T>;
}

export function createTurns(): Turns {
  const last = new Map<string, { tail: Promise<void>; waiting: number }>();

  return {
    async take(name, task) {
      const queue = last.get(name) ?? { tail: Promise.resolve(), waiting: 0 };
      if (queue.waiting >= TURNS_WAITING_MAX) {
        throw new RegistryError(
          "precondition_failed",
          `More than ${TURNS_WAITING_MAX} changes of one device wait.`,
        );
      }
      last.set(name, queue);
      queue.waiting += 1;
      const turn = queue.tail.then(task);
      queue.tail = turn.then(
        () => undefined,
        () => undefined,
      );
      try {
        return await turn;
      } finally {
        queue.waiting -= 1;
        if (queue.waiting === 0) last.delete(name);
      }
    },
  };
}
