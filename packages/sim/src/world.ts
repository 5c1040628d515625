/**
 * World: virtual time for any number of agents and bridges in one process.
 *
 * Time moves only from one due task to the next. Between two tasks every promise goes on as far as it can, so
 * a signer that answers by promise is as reproducible as a timer. The same seed runs the same way.
 *
 * Left to others: the network (`network.ts`) and what is remembered of a run (`event-log.ts`).
 */
import type { Clock, NumericDate, Timers } from "@mayfly/core";
import { createRandom, type SeededRandom } from "./random.ts";
import { Schedule } from "./schedule.ts";

/** Turns of the promise queue between two tasks: the longest chain of `await`s one task may start. */
export const promiseTurns = 16;
/** Tasks waiting at once: a run away from this is a leak, not a scenario. */
export const tasksMax = 1_000_000;

/** Tasks run at one instant: more is a timer that sets itself anew for now, for ever. */
export const tasksPerInstantMax = 100_000;

export interface WorldOptions {
  /** A failure prints it; the same text replays the run. */
  readonly seed: string;
  /** Wall time at the start. Default 2026-11-01T00:00:00Z. */
  readonly startSeconds?: NumericDate;
  /**
   * Resolves when every promise that can go on has done so. A host that has a turn of its event loop to give
   * (`setImmediate`) gives one; default: {@link promiseTurns} turns of the promise queue.
   */
  readonly settlePromises?: () => Promise<void>;
}

export interface World {
  readonly seed: string;
  readonly clock: Clock;
  readonly timers: Timers;
  /** An own stream of chance for `name`; the same name gives a stream that starts the same. */
  random(name: string): SeededRandom;
  /** Runs all that is due within `millis` from now, then stands at its end. One run at a time. */
  run(millis: number): Promise<void>;
  /** Tasks run so far. */
  readonly tasksRun: number;
  /** Tasks waiting, cancelled ones included until their time comes. */
  readonly tasksWaiting: number;
}

export function createWorld(options: WorldOptions): World {
  const schedule = new Schedule();
  const startSeconds = options.startSeconds ?? 1_793_491_200;
  const settlePromises = options.settlePromises ?? takePromiseTurns;
  let nowMillis = 0;
  let tasksRun = 0;
  let isRunning = false;
  let tasksThisInstant = 0;

  async function run(millis: number): Promise<void> {
    if (isRunning) throw new Error("the world is running already");
    isRunning = true;
    try {
      const endMillis = nowMillis + millis;
      await settlePromises();
      for (
        let task = schedule.peek();
        task !== undefined && task.dueMillis <= endMillis;
        task = schedule.peek()
      ) {
        schedule.take();
        const work = task.run;
        if (work === undefined) continue;
        tasksThisInstant = task.dueMillis === nowMillis ? tasksThisInstant + 1 : 1;
        if (tasksThisInstant > tasksPerInstantMax) {
          throw new RangeError(
            `more than ${tasksPerInstantMax} tasks at ${nowMillis} ms, seed ${options.seed}`,
          );
        }
        nowMillis = task.dueMillis;
        task.run = undefined;
        tasksRun += 1;
        work();
        await settlePromises();
      }
      nowMillis = endMillis;
    } finally {
      isRunning = false;
    }
  }

  return {
    seed: options.seed,
    clock: {
      monotonicMillis: () => nowMillis,
      wallSeconds: () => startSeconds + nowMillis / 1000,
    },
    timers: {
      after(delayMillis, work) {
        if (schedule.size >= tasksMax) throw new RangeError(`more than ${tasksMax} tasks wait`);
        const task = schedule.add(nowMillis + Math.max(0, delayMillis), work);
        return () => {
          task.run = undefined;
        };
      },
    },
    random: (name) => createRandom(`${options.seed}/${name}`),
    run,
    get tasksRun() {
      return tasksRun;
    },
    get tasksWaiting() {
      return schedule.size;
    },
  };
}

async function takePromiseTurns(): Promise<void> {
  for (let turn = 0; turn < promiseTurns; turn++) await undefined;
}
