/**
 * Outbox spill: a small device's messages through a shutdown, in a few values of its small store.
 *
 * Flash wears, so nothing is written while the device runs: messages live in the ring, and what waits when the agent
 * stops, or when power is about to fail, is written out, oldest first. The next start takes it back, and the values are
 * emptied once all of it is settled. A loss of power without warning loses the ring; `durable` says `memory`.
 *
 * ```
 * value `outbox-0` … `outbox-3`:  count of values, u8 | generation, u8 | records (outbox-record.ts), one after the other
 * ```
 * A record may go on in the next value. All values of a spill have one generation, so that a spill cut short is noticed.
 *
 * Left to others: whether a value is whole (the small store), how a message's bytes look (`outbox-record.ts`).
 */
import type { OutboxContents } from "./outbox.ts";
import { decodeRecordHead, findRecordHead, recordFlag, recordHeadBytes } from "./outbox-record.ts";
import type { Durability, OutboxOpening, OutboxStore } from "./outbox-store.ts";
import { type SmallStore, smallValueBytesMax } from "./ports.ts";

export const spillValuesMax = 4;
const valueHeadBytes = 2;
const recordsBytesOfValue = smallValueBytesMax - valueHeadBytes;
/** What fits, records and all: 4,088 bytes. */
export const spillBytesMax = spillValuesMax * recordsBytesOfValue;

export interface SpillReport {
  readonly messages: number;
  /** QoS 1 messages that found no room, or could not be written. */
  readonly left: number;
}

export interface SpillOutbox extends OutboxStore {
  /** Writes out what waits now, QoS 1 only, oldest first. `close` does the same. Never rejects. */
  spill(): Promise<SpillReport>;
}

export function createSpillOutbox(store: SmallStore): SpillOutbox {
  return new Spill(store);
}

class Spill implements SpillOutbox {
  readonly trouble = undefined;
  readonly #store: SmallStore;
  #contents: OutboxContents | undefined;
  #generation = 0;
  /** Whether the values hold something. */
  #isWritten = false;
  /** Sequences below are of messages taken back, so many of which still wait. */
  #firstNew = 0;
  #restored = 0;
  #closed: Promise<void> | undefined;

  constructor(store: SmallStore) {
    this.#store = store;
  }

  open(contents: OutboxContents, restore: (record: Uint8Array) => void): OutboxOpening {
    this.#contents = contents;
    const { bytes, damaged } = this.#read();
    let at = 0;
    while (at + recordHeadBytes <= bytes.length) {
      const { length } = decodeRecordHead(bytes.subarray(at));
      const head = findRecordHead(bytes.subarray(at, at + length));
      if (head === undefined) break;
      restore(bytes.subarray(at, at + length));
      this.#restored += 1;
      this.#firstNew = Math.max(this.#firstNew, head.sequence + 1);
      at += length;
    }
    return { nextSequence: this.#firstNew, opening: "", damaged: at < bytes.length ? 1 : damaged };
  }

  findRefusal(): undefined {
    return undefined;
  }

  append(_sequence: number, _record: Uint8Array, kept: (durability: Durability) => void): void {
    void Promise.resolve().then(() => kept("memory"));
  }

  forget(sequence: number): void {
    if (sequence >= this.#firstNew || this.#restored === 0) return;
    this.#restored -= 1;
    // Lest they be sent again at the next start.
    if (this.#restored === 0 && this.#closed === undefined) void this.#empty();
  }

  async spill(): Promise<SpillReport> {
    const bytes = new Uint8Array(spillBytesMax);
    let length = 0;
    let messages = 0;
    let left = 0;
    this.#contents?.visit((record) => {
      if ((decodeRecordHead(record).flags & recordFlag.qos1) === 0) return;
      if (left > 0 || length + record.length > spillBytesMax) {
        left += 1;
        return;
      }
      bytes.set(record, length);
      length += record.length;
      messages += 1;
    });
    if (messages === 0) {
      if (this.#isWritten) await this.#empty();
      return { messages, left };
    }
    const isWritten = await this.#write(bytes.subarray(0, length));
    return isWritten ? { messages, left } : { messages: 0, left: left + messages };
  }

  close(): Promise<void> {
    this.#closed ??= this.spill().then(() => {});
    return this.#closed;
  }

  #read(): { readonly bytes: Uint8Array; readonly damaged: number } {
    const first = this.#readValue(0);
    const count = first?.[0] ?? 0;
    if (first === undefined || count === 0) return { bytes: new Uint8Array(), damaged: 0 };
    this.#isWritten = true;
    this.#generation = first[1] ?? 0;
    const bytes = new Uint8Array(spillBytesMax);
    let length = 0;
    for (let i = 0; i < count && i < spillValuesMax; i++) {
      const value = i === 0 ? first : this.#readValue(i);
      if (value === undefined || value[0] !== count || value[1] !== this.#generation) {
        return { bytes: bytes.subarray(0, length), damaged: 1 };
      }
      bytes.set(value.subarray(valueHeadBytes), length);
      length += value.length - valueHeadBytes;
    }
    return { bytes: bytes.subarray(0, length), damaged: 0 };
  }

  #readValue(index: number): Uint8Array | undefined {
    return this.#store.read(`outbox-${index}`);
  }

  async #write(bytes: Uint8Array): Promise<boolean> {
    this.#generation = (this.#generation + 1) & 0xff;
    const count = Math.ceil(bytes.length / recordsBytesOfValue);
    try {
      // The first last: while it is of another generation, this spill does not count.
      for (let i = count - 1; i >= 0; i--) {
        const part = bytes.subarray(i * recordsBytesOfValue, (i + 1) * recordsBytesOfValue);
        const value = new Uint8Array(valueHeadBytes + part.length);
        value[0] = count;
        value[1] = this.#generation;
        value.set(part, valueHeadBytes);
        await this.#store.write(`outbox-${i}`, value);
      }
      this.#isWritten = true;
      return true;
    } catch {
      // The report says so; the messages are in memory as before.
      return false;
    }
  }

  async #empty(): Promise<void> {
    try {
      await this.#store.write("outbox-0", new Uint8Array([0, this.#generation]));
      this.#isWritten = false;
    } catch {
      // They will be sent once more, under their ids.
    }
  }
}
