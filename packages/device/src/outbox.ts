/**
 * Outbox: messages taken and not yet settled, oldest first, as records in one bounded ring of bytes.
 *
 * A message stays at its place until it is settled; then its bytes are given free as soon as none before them are in
 * use. A cursor marks what the present connection has been given; a new connection starts it over, so what was not
 * acknowledged goes out again first. Whoever is given a message gets a key that leads back to its place without a
 * search, in whatever order the answers come.
 *
 * Left to others: the wire (`session/`), and keeping the messages through a restart (`outbox-store.ts`).
 */
import { ByteRing } from "./byte-ring.ts";
import {
  decodeRecord,
  decodeRecordHead,
  encodeRecord,
  type NewMessage,
  type RecordHead,
  recordFlag,
  recordHeadBytes,
} from "./outbox-record.ts";

/** How much may wait for its acknowledgement, and what happens to more. */
export interface OutboxBounds {
  /** 1 to 100,000. */
  readonly messagesMax: number;
  /** 1 to 64 MiB: payloads, ids and subfolders, and 14 bytes a message. */
  readonly bytesMax: number;
  /**
   * `refuse` the new message (the default), or `drop-oldest`: give up the oldest that no connection has been given.
   * What was given to one is never dropped.
   */
  readonly whenFull?: "refuse" | "drop-oldest";
}

export type PublishOutcome =
  /** QoS 1: the bridge has it, durably. */
  | { readonly kind: "acknowledged" }
  /** QoS 0: handed to the network. */
  | { readonly kind: "sent" }
  /** The bridge does not want it again (PUBACK >= 0x80), or it is larger than the bridge takes (0x95). */
  | { readonly kind: "refused"; readonly reasonCode: number }
  /** The outbox was full, and its oldest were to make room. */
  | { readonly kind: "dropped" }
  /** A state that a newer one made worthless before it was sent. */
  | { readonly kind: "superseded" }
  /** The agent has stopped. What is durable in a store is sent by the next agent that opens it. */
  | { readonly kind: "stopped" };

export interface OutgoingMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1;
  readonly messageId?: string;
}

/** A message whose turn it is. */
export interface OutboxEntry extends NewMessage {
  /** What an answer to it is to name. */
  readonly key: number;
  readonly isResend: boolean;
}

/** A message whose stay is over. */
export interface SettledMessage {
  readonly sequence: number;
  /** Empty for none. */
  readonly messageId: string;
  readonly isStored: boolean;
}

/** What waits, for a store that wants to see it again. */
export interface OutboxContents {
  /** Visits the record of each message that is not settled, oldest first; the bytes are a view. */
  visit(each: (record: Uint8Array, sequence: number) => void): void;
}

export class Outbox implements OutboxContents {
  readonly #ring: ByteRing;
  readonly #messagesMax: number;
  readonly #mayDrop: boolean;
  /** By sequence: who waits for the outcome. At most one per message that waits. */
  readonly #waiters = new Map<number, (outcome: PublishOutcome) => void>();
  #messages = 0;
  #payloadBytes = 0;
  /** Place of the first record that the present connection was not given. */
  #cursor = 0;
  /** Messages in front of the cursor that are not settled. */
  #given = 0;
  /** How far cuts have moved what lies in front of the cursor, in all: a key is a place less this. */
  #moved = 0;
  #nextSequence = 0;
  /** Place of the record added last. */
  #newest = 0;

  constructor(bounds: OutboxBounds) {
    this.#ring = new ByteRing(bounds.bytesMax);
    this.#messagesMax = bounds.messagesMax;
    this.#mayDrop = bounds.whenFull === "drop-oldest";
  }

  get messages(): number {
    return this.#messages;
  }

  /** Payload bytes. */
  get bytes(): number {
    return this.#payloadBytes;
  }

  /** @param first Of the next message; grows by 1 with each. */
  startSequenceAt(first: number): void {
    this.#nextSequence = first;
  }

  /** Whether a record of so many bytes is taken now. `after_drop`: if {@link dropFor} makes room first. */
  findRoom(recordBytes: number): "yes" | "after_drop" | "full" | "too_large" {
    const { bytesMax, length, head } = this.#ring;
    if (recordBytes > bytesMax) return "too_large";
    const isCountFull = this.#messages >= this.#messagesMax;
    if (!isCountFull && length + recordBytes <= bytesMax) return "yes";
    const waiting = this.#messages - this.#given;
    const isEnough = this.#cursor - head + recordBytes <= bytesMax;
    return this.#mayDrop && isEnough && waiting > 0 ? "after_drop" : "full";
  }

  /** Drops the oldest that no connection has been given, as few as make room for a record. */
  dropFor(recordBytes: number, dropped: (message: SettledMessage) => void): void {
    const isRoom = (cut: number): boolean =>
      this.#messages < this.#messagesMax && this.#ring.length - cut + recordBytes <= this.#ring.bytesMax;
    let cut = 0;
    while (!isRoom(cut) && this.#cursor + cut < this.#ring.tail) {
      const place = this.#cursor + cut;
      const head = this.#headAt(place);
      cut += head.length;
      if ((head.flags & recordFlag.settled) === 0) dropped(this.#end(place, head, { kind: "dropped" }));
    }
    this.#ring.cutOut(this.#cursor, cut);
    this.#cursor += cut;
    this.#moved += cut;
  }

  /**
   * Takes a message, for which {@link findRoom} said yes; a copy of its own.
   *
   * @param follow Is told what comes of it.
   */
  add(message: NewMessage, follow?: (outcome: PublishOutcome) => void): number {
    const sequence = this.#nextSequence;
    const record = encodeRecord(message, sequence);
    this.#nextSequence += 1;
    this.#append(record, message.payload.length);
    if (follow !== undefined) this.#waiters.set(sequence, follow);
    return sequence;
  }

  /** Takes back a record that a store kept, whatever the bounds: it was accepted once. Before any is added. */
  restore(record: Uint8Array): void {
    const head = decodeRecordHead(record);
    this.#append(record, payloadBytes(head));
    this.#ring.setByte(this.#newest + 4, head.flags | recordFlag.given | recordFlag.stored);
  }

  /** The message added last goes to a store, where its settling is to be told. @returns its record, a copy. */
  storeNewest(): Uint8Array {
    this.#ring.setByte(this.#newest + 4, this.#ring.byte(this.#newest + 4) | recordFlag.stored);
    return this.#ring.read(this.#newest, this.#ring.tail - this.#newest).slice();
  }

  /** The first message the present connection has not been given. */
  findNext(): OutboxEntry | undefined {
    while (this.#cursor < this.#ring.tail) {
      const head = this.#headAt(this.#cursor);
      if ((head.flags & recordFlag.settled) === 0) return this.#entryAt(this.#cursor, head);
      this.#cursor += head.length;
    }
    return undefined;
  }

  /** The present connection has been given the message of {@link findNext}. */
  advance(): void {
    const head = this.#headAt(this.#cursor);
    this.#ring.setByte(this.#cursor + 4, head.flags | recordFlag.given);
    this.#cursor += head.length;
    this.#given += 1;
  }

  /** A new connection: everything kept is to be sent, oldest first. */
  startOver(): void {
    this.#cursor = this.#ring.head;
    this.#given = 0;
  }

  /** Ends the stay of a message that was given. @returns It, or `undefined` when it was settled before. */
  settle(key: number, outcome: PublishOutcome): SettledMessage | undefined {
    const place = key + this.#moved;
    if (place < this.#ring.head || place >= this.#cursor) return undefined;
    const head = this.#headAt(place);
    if ((head.flags & recordFlag.settled) !== 0) return undefined;
    this.#given -= 1;
    const settled = this.#end(place, head, outcome);
    this.#giveFree();
    return settled;
  }

  visit(each: (record: Uint8Array, sequence: number) => void): void {
    for (let place = this.#ring.head; place < this.#ring.tail; ) {
      const head = this.#headAt(place);
      if ((head.flags & recordFlag.settled) === 0) each(this.#ring.read(place, head.length), head.sequence);
      place += head.length;
    }
  }

  /** Settles all that is left as `stopped`. */
  close(): void {
    this.#ring.clear();
    this.#cursor = this.#ring.head;
    this.#messages = 0;
    this.#payloadBytes = 0;
    this.#given = 0;
    for (const follow of this.#waiters.values()) follow({ kind: "stopped" });
    this.#waiters.clear();
  }

  #append(record: Uint8Array, payload: number): void {
    this.#ring.reserve(record.length);
    this.#newest = this.#ring.tail;
    this.#ring.append(record);
    this.#messages += 1;
    this.#payloadBytes += payload;
  }

  #headAt(place: number): RecordHead {
    return decodeRecordHead(this.#ring.read(place, recordHeadBytes));
  }

  #entryAt(place: number, head: RecordHead): OutboxEntry {
    const record = this.#ring.read(place, head.length);
    // A session keeps what it was given until it is answered, and a cut would move the bytes away under it.
    const message = decodeRecord(this.#mayDrop ? record.slice() : record);
    return { ...message, key: place - this.#moved, isResend: (head.flags & recordFlag.given) !== 0 };
  }

  /** The record stays where it is, and counts no more. */
  #end(place: number, head: RecordHead, outcome: PublishOutcome): SettledMessage {
    const { messageId } = decodeRecord(this.#ring.read(place, head.length));
    this.#ring.setByte(place + 4, head.flags | recordFlag.settled);
    this.#messages -= 1;
    this.#payloadBytes -= payloadBytes(head);
    const follow = this.#waiters.get(head.sequence);
    this.#waiters.delete(head.sequence);
    follow?.(outcome);
    return { sequence: head.sequence, messageId, isStored: (head.flags & recordFlag.stored) !== 0 };
  }

  #giveFree(): void {
    while (this.#ring.head < this.#ring.tail) {
      const head = this.#headAt(this.#ring.head);
      if ((head.flags & recordFlag.settled) === 0) break;
      this.#ring.releaseTo(this.#ring.head + head.length);
    }
    if (this.#cursor < this.#ring.head) this.#cursor = this.#ring.head;
  }
}

function payloadBytes(head: RecordHead): number {
  return head.length - recordHeadBytes - head.idBytes - head.subfolderBytes;
}
