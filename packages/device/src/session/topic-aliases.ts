/**
 * Topic Aliases of one Network Connection (MQTT 5.0 §3.3.2.3.4), one table for each way.
 *
 * A device says few Topic Names, over and over: the first so many get an alias for as long as the connection lives, and
 * none is ever given to another name, so no order of packets can make an alias mean something else.
 *
 * Left to others: how many there may be (`bridge-limits.ts`, `wire-settings.ts`).
 */

/** Topic Names we send. */
export class OutgoingAliases {
  readonly #max: number;
  /** The alias of the name at `i` is `i + 1`. Most connections have one or two. */
  #names: string[] | undefined;

  constructor(max: number) {
    this.#max = max;
  }

  /** @returns The alias the bridge knows this name by, 0 for none. */
  known(topic: string): number {
    return (this.#names?.indexOf(topic) ?? -1) + 1;
  }

  /** @returns The alias this name would get when it is sent next, 0 when there is none left. */
  next(): number {
    const used = this.#names?.length ?? 0;
    return used < this.#max ? used + 1 : 0;
  }

  /** A PUBLISH with this name and the alias of {@link next} has been written. */
  learnt(topic: string): void {
    this.#names ??= [];
    this.#names.push(topic);
  }
}

/** Topic Names we are sent. */
export class IncomingAliases {
  readonly #max: number;
  #names: (string | undefined)[] | undefined;

  constructor(max: number) {
    this.#max = max;
  }

  /**
   * @param topic Of a PUBLISH; empty where its alias stands for it.
   * @returns The Topic Name; `undefined` for an alias that we did not allow, or that was never set.
   */
  resolve(topic: string, alias: number | undefined): string | undefined {
    if (alias === undefined) return topic;
    if (alias > this.#max) return undefined;
    if (topic === "") return this.#names?.[alias - 1];
    this.#names ??= new Array<string | undefined>(this.#max);
    this.#names[alias - 1] = topic;
    return topic;
  }
}
