/**
 * Tells committed registry changes, each once and in order, whoever committed them.
 *
 * SQLite lets one transaction write at a time, so the log's numbers are in commit order and a cursor misses
 * nothing. Our own commits are told before their answer; those of another process are found by a poll that
 * costs one pragma while nothing has changed.
 */
import type { CancelTimer, Timers } from "@mayfly/core";
import type { RegistryChange } from "../../registry/model.ts";
import type { RegistryReader } from "./registry-reader.ts";

/** Under the promised 250 ms, with room for a busy event loop. */
const POLL_MILLIS = 150;

export interface ChangeFeedOptions {
  readonly reader: Pick<RegistryReader, "dataVersion" | "newestSequence" | "changesAfter">;
  readonly timers: Timers;
  /** Before any listener: caches are true when listeners look. */
  changed(change: RegistryChange): void;
  /** A look at the log failed, or succeeded again (undefined). */
  trouble(because: unknown): void;
}

export class ChangeFeed {
  readonly #options: ChangeFeedOptions;
  readonly #listeners = new Set<(change: RegistryChange) => void>();
  #told: number;
  #dataVersion: number;
  #isTelling = false;
  /** The last look failed: what it should have told is still to be told. */
  #hasFailed = false;
  #cancel: CancelTimer | undefined;

  constructor(options: ChangeFeedOptions) {
    this.#options = options;
    // In this order: a commit in between is seen twice by the poll rather than never.
    this.#dataVersion = options.reader.dataVersion();
    this.#told = options.reader.newestSequence();
    this.#arm();
  }

  listen(listener: (change: RegistryChange) => void): () => void {
    const own = (change: RegistryChange): void => listener(change);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  /** Tells what was committed since the last look. */
  look(): void {
    // A listener that causes a look is served by the loop it is called from.
    if (this.#isTelling) return;
    this.#isTelling = true;
    try {
      for (let changes = this.#read(); changes.length > 0; changes = this.#read()) {
        for (const change of changes) {
          this.#told = change.sequence;
          this.#options.changed(change);
          for (const listener of [...this.#listeners]) listener(change);
        }
      }
    } finally {
      this.#isTelling = false;
    }
  }

  stop(): void {
    this.#cancel?.();
    this.#listeners.clear();
  }

  #read(): readonly RegistryChange[] {
    try {
      const changes = this.#options.reader.changesAfter(this.#told);
      this.#hasFailed = false;
      this.#options.trouble(undefined);
      return changes;
    } catch (error) {
      this.#hasFailed = true;
      this.#options.trouble(error);
      return [];
    }
  }

  #arm(): void {
    this.#cancel = this.#options.timers.after(POLL_MILLIS, () => {
      this.#arm();
      try {
        const version = this.#options.reader.dataVersion();
        if (version === this.#dataVersion && !this.#hasFailed) return;
        this.#dataVersion = version;
      } catch (error) {
        this.#options.trouble(error);
        return;
      }
      this.look();
    });
  }
}
