/**
 * The device's config for programs on this machine: the newest one, and whoever waits for the next.
 *
 * A program that was asked to wait says which one it has; so none is missed between two requests, and a restart of
 * either side only means it is read once more.
 *
 * Left to others: where it is kept through a restart (the port), and HTTP.
 */
import type { Timers } from "@mayfly/core";

/** Programs that wait for the next config. */
export const configAskersMax = 32;

export interface ShelvedConfig {
  /** Differs from one config to the next, also over a restart: opaque to programs. */
  readonly tag: string;
  readonly payload: Uint8Array;
}

/** Port: keeps one config through a restart. */
export interface ConfigKeeper {
  /** Resolves when it is durable; rejects when it cannot be kept. */
  keep(config: ShelvedConfig): Promise<void>;
}

export class ConfigShelf {
  readonly #timers: Timers;
  readonly #keeper: ConfigKeeper;
  readonly #tagOf: (payload: Uint8Array) => string;
  readonly #askers = new Set<() => void>();
  #config: ShelvedConfig | undefined;

  /** @param last What was kept before the restart. */
  constructor(
    ports: { readonly timers: Timers; readonly keeper: ConfigKeeper },
    tagOf: (payload: Uint8Array) => string,
    last: ShelvedConfig | undefined,
  ) {
    this.#timers = ports.timers;
    this.#keeper = ports.keeper;
    this.#tagOf = tagOf;
    this.#config = last;
  }

  /** Resolves when it is kept; from then on it is what programs get. */
  async put(payload: Uint8Array): Promise<void> {
    const config = { tag: this.#tagOf(payload), payload: payload.slice() };
    await this.#keeper.keep(config);
    this.#config = config;
    for (const answer of [...this.#askers]) answer();
  }

  get current(): ShelvedConfig | undefined {
    return this.#config;
  }

  /**
   * The config, once it is another than the one with the tag `known`.
   *
   * @returns undefined when there was none within `waitMillis`. @throws {RangeError} {@link configAskersMax} wait already.
   */
  other(
    known: string | undefined,
    waitMillis: number,
  ): { readonly config: Promise<ShelvedConfig | undefined>; cancel(): void } {
    const find = (): ShelvedConfig | undefined =>
      this.#config !== undefined && this.#config.tag !== known ? this.#config : undefined;
    const found = find();
    if (found !== undefined || waitMillis === 0) return { config: Promise.resolve(found), cancel: () => {} };
    if (this.#askers.size >= configAskersMax) {
      throw new RangeError(`at most ${configAskersMax} wait for a config`);
    }
    let cancel = (): void => {};
    const config = new Promise<ShelvedConfig | undefined>((resolve) => {
      const end = (): void => {
        cancelTimer();
        this.#askers.delete(answer);
        resolve(find());
      };
      const answer = (): void => {
        if (find() !== undefined) end();
      };
      const cancelTimer = this.#timers.after(waitMillis, end);
      cancel = end;
      this.#askers.add(answer);
    });
    return { config, cancel };
  }

  /** Whoever waits is answered as things stand. */
  close(): void {
    for (const answer of [...this.#askers]) answer();
  }
}
