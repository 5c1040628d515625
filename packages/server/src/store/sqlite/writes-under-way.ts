/**
 * Writes under way, by what they write to: whoever reads there waits for them, and so reads what was written.
 *
 * Reads are made on the caller's thread and commits on another, so a read may be faster than a write that was
 * asked for before it. Where that would be believed (a Session that its connection has just left), the read
 * comes after. Bounded by the writes that may wait (`registry-queue.ts`).
 */
export class WritesUnderWay {
  /** The latest of each; the ones before it end before it does, since writes keep their order. */
  readonly #latest = new Map<string, Promise<void>>();

  get size(): number {
    return this.#latest.size;
  }

  /** @returns what `write` brings; by then it is under way no more. */
  track<T>(what: string, write: Promise<T>): Promise<T> {
    const tracked = write.finally(() => {
      if (this.#latest.get(what) === ended) this.#latest.delete(what);
    });
    const ended = tracked.then(
      () => undefined,
      () => undefined,
    );
    this.#latest.set(what, ended);
    return tracked;
  }

  /** Runs `read` when nothing that was asked for before is under way there: at once where nothing is. */
  before(what: string, read: () => void): void {
    const latest = this.#latest.get(what);
    if (latest === undefined) read();
    else void latest.then(read);
  }
}
