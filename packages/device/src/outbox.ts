/**
 * Outbox: messages taken and not yet acknowledged, in order, bounded by count and by payload bytes.
 *
 * A message stays at its place until it is settled. A cursor marks what the present connection has been
 * given; a new connection starts the cursor over, so what was not acknowledged goes out again first.
 *
 * Left to others: the wire (`session/`), and keeping the messages through a restart.
 */
import type { OutboxBounds } from "./options.ts";

export type PublishOutcome =
  /** QoS 1: the bridge has it, durably. */
  | { readonly kind: "acknowledged" }
  /** QoS 0: handed to the network. */
  | { readonly kind: "sent" }
  /** The bridge does not want it again (PUBACK >= 0x80), or it is larger than the bridge takes (0x95). */
  | { readonly kind: "refused"; readonly reasonCode: number }
  | { readonly kind: "stopped" };

export interface OutgoingMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1;
  readonly messageId?: string;
}

export interface OutboxEntry extends OutgoingMessage {
  /** Grows by 1 with each message. */
  readonly sequence: number;
  /** How often it was handed to the network. */
  sentTimes: number;
}

interface Kept extends OutboxEntry {
  readonly settle: (outcome: PublishOutcome) => void;
}

export class Outbox {
  readonly #bounds: OutboxBounds;
  #entries: Kept[] = [];
  #bytes = 0;
  #cursor = 0;
  #nextSequence = 0;

  constructor(bounds: OutboxBounds) {
    this.#bounds = bounds;
  }

  get messages(): number {
    return this.#entries.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @returns What will come of it, or `undefined` when there is no room. Keeps its own copy of the payload. */
  add(message: OutgoingMessage): Promise<PublishOutcome> | undefined {
    const { messagesMax, bytesMax } = this.#bounds;
    if (this.#entries.length >= messagesMax || this.#bytes + message.payload.length > bytesMax)
      return undefined;
    return new Promise((settle) => {
      const payload = message.payload.slice();
      this.#entries.push({ ...message, payload, sequence: this.#nextSequence, sentTimes: 0, settle });
      this.#nextSequence += 1;
      this.#bytes += payload.length;
    });
  }

  /** The first message the present connection has not been given. */
  findNext(): OutboxEntry | undefined {
    return this.#entries[this.#cursor];
  }

  /** The present connection has been given the message of {@link findNext}. */
  advance(): void {
    const entry = this.#entries[this.#cursor];
    if (entry === undefined) return;
    entry.sentTimes += 1;
    this.#cursor += 1;
  }

  /** A new connection: everything kept is to be sent, oldest first. */
  startOver(): void {
    this.#cursor = 0;
  }

  /** Ends a message's stay. @returns It, or `undefined` when it was settled before. */
  settle(sequence: number, outcome: PublishOutcome): OutboxEntry | undefined {
    // Acknowledgements come in order (MQTT 5.0 §4.6), so this finds its message at or near the front.
    const index = this.#entries.findIndex((entry) => entry.sequence === sequence);
    const entry = this.#entries[index];
    if (entry === undefined) return undefined;
    this.#entries.splice(index, 1);
    if (index < this.#cursor) this.#cursor -= 1;
    this.#bytes -= entry.payload.length;
    entry.settle(outcome);
    return entry;
  }

  /** Settles all that is left as `stopped`. */
  close(): void {
    const entries = this.#entries;
    this.#entries = [];
    this.#bytes = 0;
    this.#cursor = 0;
    for (const entry of entries) entry.settle({ kind: "stopped" });
  }
}
