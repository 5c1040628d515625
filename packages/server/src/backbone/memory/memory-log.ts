/**
 * The messages of one registry in memory, oldest first, numbered without gaps.
 *
 * A subscription remembers a number, not an index, so that removing the oldest moves nobody.
 */
import type { DurableMessage } from "../durable-listeners.ts";

export interface LoggedMessage {
  readonly number: number;
  readonly message: DurableMessage;
  readonly bytes: number;
}

export class MemoryLog {
  #entries: LoggedMessage[] = [];
  /** Number of the oldest entry still kept. */
  first = 0;
  bytes = 0;

  /** Number the next message will get. */
  get next(): number {
    return this.first + this.#entries.length;
  }

  append(message: DurableMessage): void {
    const bytes = message.payload.length;
    this.#entries.push({ number: this.next, message, bytes });
    this.bytes += bytes;
  }

  find(number: number): LoggedMessage | undefined {
    return number < this.first ? undefined : this.#entries[number - this.first];
  }

  /** Removes from the old end what is older than `beforeMs`, then what is too much. @returns how many. */
  trim(beforeMs: number, bytesMax: number): number {
    let removed = 0;
    for (const entry of this.#entries) {
      if (entry.message.publishMs >= beforeMs && this.bytes <= bytesMax) break;
      this.bytes -= entry.bytes;
      removed += 1;
    }
    this.#entries = this.#entries.slice(removed);
    this.first += removed;
    return removed;
  }
}
