/**
 * Commands on their way to programs on this machine: each waits until one asks for it, and is acknowledged to the
 * bridge only when that program says it is done.
 *
 * A program that takes a command and falls silent has failed it: the bridge, which was told nothing, sends it again.
 * So a command may come twice and is never lost.
 *
 * Left to others: HTTP (`local-api.ts`), and how long the agent lets a handler take.
 */
import type { CancelTimer, Timers } from "@mayfly/core";

/** Commands that nobody has taken yet. */
export const commandsWaitingMax = 64;
/** Programs that wait for the next command. */
export const askersMax = 32;
/** From taking a command to saying what became of it. */
export const commandMillisMax = 60_000;

export interface Command {
  /** Unique in this process. */
  readonly id: string;
  readonly payload: Uint8Array;
  /** Empty for none. */
  readonly subfolder: string;
}

/** A command was not carried out: the bridge is not told that it was. */
export class CommandNotDone extends Error {
  override readonly name = "CommandNotDone";
}

interface Pending {
  readonly command: Command;
  readonly done: () => void;
  readonly fail: (error: CommandNotDone) => void;
  cancelDeadline?: CancelTimer;
}

interface Asker {
  answer(command: Command | undefined): void;
}

export class CommandDesk {
  readonly #timers: Timers;
  readonly #waiting: Pending[] = [];
  readonly #taken = new Map<string, Pending>();
  readonly #askers: Asker[] = [];
  #count = 0;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Commands not taken, and taken but not settled. */
  get counts(): { readonly waiting: number; readonly taken: number } {
    return { waiting: this.#waiting.length, taken: this.#taken.size };
  }

  /** Resolves when a program has carried it out. @throws {CommandNotDone} (rejects) */
  offer(payload: Uint8Array, subfolder: string): Promise<void> {
    if (this.#waiting.length >= commandsWaitingMax) {
      return Promise.reject(new CommandNotDone("too many commands wait for a program"));
    }
    this.#count += 1;
    const command = { id: String(this.#count), payload, subfolder };
    return new Promise((done, fail) => {
      this.#waiting.push({ command, done, fail });
      this.#match();
    });
  }

  /**
   * The oldest command nobody has taken, or the next that comes within `waitMillis`.
   *
   * @returns undefined when none came. @throws {RangeError} (rejects) {@link askersMax} wait already.
   */
  next(waitMillis: number): { readonly command: Promise<Command | undefined>; cancel(): void } {
    if (this.#askers.length >= askersMax) throw new RangeError(`at most ${askersMax} wait for a command`);
    let cancel = (): void => {};
    const command = new Promise<Command | undefined>((resolve) => {
      const cancelTimer = this.#timers.after(waitMillis, () => asker.answer(undefined));
      const asker: Asker = {
        answer: (found) => {
          cancelTimer();
          const place = this.#askers.indexOf(asker);
          if (place >= 0) this.#askers.splice(place, 1);
          resolve(found);
        },
      };
      cancel = () => asker.answer(undefined);
      this.#askers.push(asker);
      this.#match();
    });
    return { command, cancel };
  }

  /** What became of a command that was taken. @returns false: it is not known, or was settled, or took too long. */
  settle(id: string, outcome: "done" | "failed"): boolean {
    const pending = this.#taken.get(id);
    if (pending === undefined) return false;
    this.#taken.delete(id);
    pending.cancelDeadline?.();
    if (outcome === "done") pending.done();
    else pending.fail(new CommandNotDone("the program could not carry it out"));
    return true;
  }

  /** Nobody is served any more; what is left is not done. */
  close(): void {
    for (const asker of [...this.#askers]) asker.answer(undefined);
    for (const pending of [...this.#waiting.splice(0), ...this.#taken.values()]) {
      pending.cancelDeadline?.();
      pending.fail(new CommandNotDone("the agent ends"));
    }
    this.#taken.clear();
  }

  #match(): void {
    while (this.#waiting.length > 0 && this.#askers.length > 0) {
      const pending = this.#waiting.shift();
      const asker = this.#askers[0];
      if (pending === undefined || asker === undefined) return;
      const { id } = pending.command;
      this.#taken.set(id, pending);
      pending.cancelDeadline = this.#timers.after(commandMillisMax, () => {
        this.#taken.delete(id);
        pending.fail(new CommandNotDone("the program did not say in time what became of it"));
      });
      asker.answer(pending.command);
    }
  }
}
