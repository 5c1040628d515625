/**
 * Publisher: what the application may say, and its way through the outbox to whichever connection there is.
 *
 * A message is checked once, when it is taken; from then on it is either acknowledged, refused for good by
 * the bridge, or sent again on the next connection, oldest first.
 *
 * Left to others: which connection that is, and when it may be given anything (`agent.ts`).
 */
import { eventsTopic, stateTopic, TopicError, utf8Length } from "@mayfly/core";
import { reasonCode } from "@mayfly/core/mqtt";
import type { OutboxBounds } from "./options.ts";
import { Outbox, type OutgoingMessage, type PublishOutcome } from "./outbox.ts";
import type { Connection } from "./session/connection.ts";
import type { AgentEvent } from "./status.ts";

/** Cloud IoT Core's bounds for payloads. */
export const eventBytesMax = 256 * 1024;
export const stateBytesMax = 64 * 1024;
export const messageIdBytesMax = 128;

export type PublishRefusal =
  | "outbox_full"
  | "message_too_large"
  | "subfolder_malformed"
  | "message_id_malformed"
  | "stopped";

export type PublishAnswer =
  /** `outcome` never rejects. */
  | { readonly kind: "accepted"; readonly outcome: Promise<PublishOutcome> }
  | { readonly kind: "refused"; readonly because: PublishRefusal };

export interface PublishOptions {
  /** Telemetry subfolder, `a/b`; default none. */
  readonly subfolder?: string;
  /** Default 1. */
  readonly qos?: 0 | 1;
  /** 1 to 128 bytes, no U+0000 and no lone surrogate; travels as User Property `id` in MQTT 5, nowhere in 3.1.1. */
  readonly messageId?: string;
}

export interface PublisherCounts {
  readonly sent: number;
  readonly resent: number;
  readonly acknowledged: number;
  readonly refused: number;
  readonly queuedMessages: number;
  readonly queuedBytes: number;
}

export class Publisher {
  readonly #device: string;
  readonly #outbox: Outbox;
  readonly #tell: (event: AgentEvent) => void;
  #sent = 0;
  #resent = 0;
  #acknowledged = 0;
  #refused = 0;

  constructor(device: string, bounds: OutboxBounds, tell: (event: AgentEvent) => void) {
    this.#device = device;
    this.#outbox = new Outbox(bounds);
    this.#tell = tell;
  }

  get counts(): PublisherCounts {
    return {
      sent: this.#sent,
      resent: this.#resent,
      acknowledged: this.#acknowledged,
      refused: this.#refused,
      queuedMessages: this.#outbox.messages,
      queuedBytes: this.#outbox.bytes,
    };
  }

  takeEvent(payload: Uint8Array, options: PublishOptions): PublishAnswer {
    const { subfolder = "", qos = 1, messageId } = options;
    if (messageId !== undefined && !isMessageId(messageId)) return this.refuse("message_id_malformed");
    if (payload.length > eventBytesMax) return this.refuse("message_too_large");
    const topic = findEventsTopic(this.#device, subfolder);
    if (topic === undefined) return this.refuse("subfolder_malformed");
    return this.#add({ topic, payload, qos, ...(messageId === undefined ? undefined : { messageId }) });
  }

  takeState(payload: Uint8Array): PublishAnswer {
    if (payload.length > stateBytesMax) return this.refuse("message_too_large");
    return this.#add({ topic: stateTopic(this.#device), payload, qos: 1 });
  }

  refuse(because: PublishRefusal): PublishAnswer {
    this.#refused += 1;
    return { kind: "refused", because };
  }

  /** A new connection has been given nothing yet. */
  startOver(): void {
    this.#outbox.startOver();
  }

  /** The connection goes on with what the one before had been given. @param resent How many it sent again. */
  goOn(resent: number): void {
    this.#resent += resent;
  }

  /** Gives the connection what it takes now, oldest first. */
  give(connection: Pick<Connection, "mayPublish" | "publish">): void {
    for (let message = this.#outbox.findNext(); message !== undefined; message = this.#outbox.findNext()) {
      if (!connection.mayPublish(message.qos)) return;
      if (connection.publish(message, message.sequence) === "too_large") {
        this.#settleRefused(message.sequence, reasonCode.packetTooLarge);
        continue;
      }
      if (message.sentTimes === 0) this.#sent += 1;
      else this.#resent += 1;
      this.#outbox.advance();
      if (message.qos === 0) this.#outbox.settle(message.sequence, { kind: "sent" });
    }
  }

  /** The bridge answered a QoS 1 message. @param code of the PUBACK; 0x80 and above: do not send it again. */
  takeAnswer(sequence: number, code: number): void {
    if (code >= 0x80) {
      this.#settleRefused(sequence, code);
      return;
    }
    const message = this.#outbox.settle(sequence, { kind: "acknowledged" });
    if (message === undefined) return;
    this.#acknowledged += 1;
    this.#tell({ kind: "acknowledged", ...idOf(message) });
  }

  /** What is left is answered `stopped`. */
  close(): void {
    this.#outbox.close();
  }

  #add(message: OutgoingMessage): PublishAnswer {
    const outcome = this.#outbox.add(message);
    return outcome === undefined ? this.refuse("outbox_full") : { kind: "accepted", outcome };
  }

  #settleRefused(sequence: number, code: number): void {
    const message = this.#outbox.settle(sequence, { kind: "refused", reasonCode: code });
    if (message === undefined) return;
    this.#refused += 1;
    this.#tell({ kind: "message_refused", ...idOf(message), reasonCode: code });
  }
}

function idOf(message: OutgoingMessage): { readonly messageId?: string } {
  return message.messageId === undefined ? {} : { messageId: message.messageId };
}

function isMessageId(text: string): boolean {
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    // MQTT has no form for these (5.0 §1.5.4); the message would be stuck at the head of the outbox.
    if (point === 0 || (point >= 0xd800 && point <= 0xdfff)) return false;
  }
  const bytes = utf8Length(text);
  return bytes >= 1 && bytes <= messageIdBytesMax;
}

function findEventsTopic(device: string, subfolder: string): string | undefined {
  try {
    return eventsTopic(device, subfolder);
  } catch (error) {
    if (error instanceof TopicError) return undefined;
    throw error;
  }
}
