/**
 * Authentication records on their way to the store: the newest of a series replaces the one that waits.
 *
 * Two lines with a maximum each, so that a flood of what nobody proved never pushes out what a key proved. A full
 * line forgets its oldest and counts it: a lost record is cheaper than lost memory.
 */
import { type AuthenticationUpdate, recordClassOf } from "../auth/authentication-record.ts";
import { RECORDS_WAITING_MAX } from "./bounds.ts";

type Line = Map<string, AuthenticationUpdate>;

export class AuthenticationQueue {
  readonly #max: number;
  readonly #proved: Line = new Map();
  readonly #unproved: Line = new Map();
  /** Records lost because their line was full. */
  dropped = 0;

  /** @param max of each of both lines. */
  constructor(max = RECORDS_WAITING_MAX) {
    this.#max = max;
  }

  get size(): number {
    return this.#proved.size + this.#unproved.size;
  }

  add(update: AuthenticationUpdate): void {
    const line = this.#lineOf(update);
    line.set(nameOf(update), update);
    if (line.size <= this.#max) return;
    for (const oldest of line.keys()) {
      line.delete(oldest);
      this.dropped += 1;
      return;
    }
  }

  /** Records that could not be written come back, unless something newer of their series waits already. */
  giveBack(updates: readonly AuthenticationUpdate[]): void {
    for (const update of updates) {
      const line = this.#lineOf(update);
      if (line.has(nameOf(update))) continue;
      if (line.size < this.#max) line.set(nameOf(update), update);
      else this.dropped += 1;
    }
  }

  /** Takes at most `max` out, what was proved first, then in order of waiting. */
  take(max: number): readonly AuthenticationUpdate[] {
    const taken: AuthenticationUpdate[] = [];
    for (const line of [this.#proved, this.#unproved]) {
      for (const [name, update] of line) {
        if (taken.length >= max) return taken;
        taken.push(update);
        line.delete(name);
      }
    }
    return taken;
  }

  #lineOf({ record }: AuthenticationUpdate): Line {
    return recordClassOf(record) === "unproved" ? this.#unproved : this.#proved;
  }
}

function nameOf({ device, series }: AuthenticationUpdate): string {
  return `${device.device} ${series}`;
}
