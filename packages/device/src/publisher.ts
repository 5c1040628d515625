/**
 * Publisher: what the application may say, and its way through the outbox to whichever connection there is.
 *
 * A message is checked once, when it is taken; from then on it is either acknowledged, refused for good by
 * the bridge, or sent again on the next connection, oldest first. With a store, that holds beyond a restart; then
 * each QoS 1 message has an id, so that the bridge knows one it has seen.
 *
 * Left to others: which connection that is, and when it may be given anything (`agent.ts`).
 */
import {
  envelopeBytesMax,
  eventsTopic,
  isEventSubfolder,
  type Random,
  stateTopic,
  type Timers,
  utf8Length,
  wrapEnvelope,
} from "@mayfly/core";
import { isReservedCommand } from "@mayfly/core/instruction";
import { reasonCode } from "@mayfly/core/mqtt";
import { MessageIds } from "./message-ids.ts";
import type { AgentSettings } from "./options.ts";
import {
  Outbox,
  type OutboxEntry,
  type OutgoingMessage,
  type PublishOutcome,
  type SettledMessage,
} from "./outbox.ts";
import { type NewMessage, recordLength } from "./outbox-record.ts";
import type { Durability, OutboxOpening, OutboxStore, OutboxStoreRefusal } from "./outbox-store.ts";
import type { Connection } from "./session/connection.ts";
import { StateLane } from "./state-lane.ts";
import type { AgentEvent } from "./status.ts";

/** Cloud IoT Core's bounds for payloads. */
export const eventBytesMax = 256 * 1024;
export const stateBytesMax = 64 * 1024;
export const messageIdBytesMax = 128;

export type PublishRefusal =
  | "outbox_full"
  | OutboxStoreRefusal
  | "message_too_large"
  | "subfolder_malformed"
  | "message_id_malformed"
  | "stopped";

export type PublishAnswer =
  /** Neither promise rejects. `durable`: when the message is as safe as it will be on this device. */
  | {
      readonly kind: "accepted";
      readonly outcome: Promise<PublishOutcome>;
      readonly durable: Promise<Durability>;
      /** What it was sent with: the caller's, or the agent's own; absent where it has none. */
      readonly messageId?: string;
    }
  | { readonly kind: "refused"; readonly because: PublishRefusal };

export interface PublishOptions {
  /** Telemetry subfolder, `a/b`; default none. */
  readonly subfolder?: string;
  /** Default 1. */
  readonly qos?: 0 | 1;
  /**
   * 1 to 128 bytes, no U+0000 and no lone surrogate; travels as User Property `id` in MQTT 5, nowhere in 3.1.1 but
   * in an envelope. Default: none; with a store or an envelope, one of the agent's own.
   */
  readonly messageId?: string;
}

export interface PublisherCounts {
  readonly sent: number;
  readonly resent: number;
  readonly acknowledged: number;
  readonly refused: number;
  readonly dropped: number;
  readonly queuedMessages: number;
  readonly queuedBytes: number;
  readonly outboxTrouble?: OutboxStoreRefusal;
}

export class Publisher {
  readonly #eventsTopic: string;
  readonly #stateTopic: string;
  readonly #isEnveloped: boolean;
  readonly #outbox: Outbox;
  readonly #store: OutboxStore | undefined;
  readonly #ids: MessageIds | undefined;
  readonly #states: StateLane;
  readonly #tell: (event: AgentEvent) => void;
  /** Of every message that only memory has. */
  readonly #inMemory: Promise<Durability> = Promise.resolve("memory");
  #opening: OutboxOpening | undefined;
  #sent = 0;
  #resent = 0;
  #acknowledged = 0;
  #refused = 0;
  #dropped = 0;

  constructor(
    settings: Pick<AgentSettings, "device" | "outbox" | "envelope" | "wire">,
    ports: { readonly random: Random; readonly timers: Timers; readonly outbox?: OutboxStore },
    tell: (event: AgentEvent) => void,
    moved: () => void,
  ) {
    this.#eventsTopic = eventsTopic(settings.device);
    this.#stateTopic = stateTopic(settings.device);
    this.#isEnveloped = settings.envelope;
    this.#outbox = new Outbox(settings.outbox);
    this.#store = ports.outbox;
    this.#tell = tell;
    if (ports.outbox !== undefined) {
      this.#opening = ports.outbox.open(this.#outbox, (record) => this.#outbox.restore(record));
      this.#outbox.startSequenceAt(this.#opening.nextSequence);
    }
    if (ports.outbox !== undefined || settings.envelope) {
      this.#ids = new MessageIds(this.#opening?.opening ?? "", ports.random);
    }
    const putState = (payload: Uint8Array): PublishAnswer => this.#follow(this.#state(payload));
    this.#states = new StateLane(ports.timers, settings.wire.statePauseMillis, putState, moved);
  }

  get counts(): PublisherCounts {
    const trouble = this.#store?.trouble;
    return {
      sent: this.#sent,
      resent: this.#resent,
      acknowledged: this.#acknowledged,
      refused: this.#refused,
      dropped: this.#dropped,
      queuedMessages: this.#outbox.messages + this.#states.waiting,
      queuedBytes: this.#outbox.bytes + this.#states.waitingBytes,
      ...(trouble === undefined ? undefined : { outboxTrouble: trouble }),
    };
  }

  /** Tells once what a store had kept. */
  tellOpening(): void {
    if (this.#opening === undefined) return;
    const { damaged } = this.#opening;
    this.#opening = undefined;
    this.#tell({ kind: "outbox_opened", messages: this.#outbox.messages, damaged });
  }

  takeEvent(payload: Uint8Array, options: PublishOptions): PublishAnswer {
    const message = this.#event(payload, options);
    return typeof message === "string" ? this.refuse(message) : this.#counted(this.#follow(message));
  }

  takeState(payload: Uint8Array): PublishAnswer {
    if (payload.length > stateBytesMax) return this.refuse("message_too_large");
    return this.#counted(this.#states.take(payload));
  }

  /** As {@link takeEvent}, and nobody waits for what comes of it. */
  postEvent(payload: Uint8Array, options: PublishOptions): "accepted" | PublishRefusal {
    const message = this.#event(payload, options);
    const refusal = typeof message === "string" ? message : this.#makeRoom(message);
    if (refusal !== undefined || typeof message === "string") {
      this.#refused += 1;
      return refusal ?? "stopped";
    }
    const sequence = this.#outbox.add(message);
    this.#storeOf(message)?.append(sequence, this.#outbox.storeNewest(), () => {});
    return "accepted";
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
    for (let entry = this.#outbox.findNext(); entry !== undefined; entry = this.#outbox.findNext()) {
      if (!connection.mayPublish(entry.qos)) return;
      const given = connection.publish(this.#outgoing(entry), entry.key);
      this.#outbox.advance();
      if (given === "too_large") {
        this.#settleRefused(entry.key, reasonCode.packetTooLarge);
        continue;
      }
      if (entry.isResend) this.#resent += 1;
      else this.#sent += 1;
      if (entry.qos === 0) this.#settle(entry.key, { kind: "sent" });
    }
  }

  /** The bridge answered a QoS 1 message. @param code of the PUBACK; 0x80 and above: do not send it again. */
  takeAnswer(key: number, code: number): void {
    if (code >= 0x80) {
      this.#settleRefused(key, code);
      return;
    }
    const message = this.#settle(key, { kind: "acknowledged" });
    if (message === undefined) return;
    this.#acknowledged += 1;
    this.#tell({ kind: "acknowledged", ...idOf(message) });
  }

  /** What is left is answered `stopped`; the store writes what it was given. */
  close(): void {
    this.#states.close();
    // It never rejects.
    void this.#store?.close();
    this.#outbox.close();
  }

  #state(payload: Uint8Array): NewMessage {
    return { isState: true, subfolder: "", qos: 1, messageId: this.#ids?.next() ?? "", payload };
  }

  #event(payload: Uint8Array, options: PublishOptions): NewMessage | PublishRefusal {
    const { subfolder = "", qos = 1, messageId } = options;
    if (messageId !== undefined && !isMessageId(messageId)) return "message_id_malformed";
    if (payload.length + (this.#isEnveloped ? envelopeBytesMax : 0) > eventBytesMax) {
      return "message_too_large";
    }
    if (subfolder !== "" && !isSubfolder(subfolder)) return "subfolder_malformed";
    const isIdWanted = qos === 1 || this.#isEnveloped;
    const id = messageId ?? (isIdWanted ? (this.#ids?.next() ?? "") : "");
    // What is for the bridge itself has a form of its own.
    const isWrapped = this.#isEnveloped && !isReservedCommand(subfolder);
    const sent = isWrapped ? wrapEnvelope(id, payload) : payload;
    return { isState: false, subfolder, qos, messageId: id, payload: sent };
  }

  #counted(answer: PublishAnswer): PublishAnswer {
    if (answer.kind === "refused") this.#refused += 1;
    return answer;
  }

  #follow(message: NewMessage): PublishAnswer {
    const refusal = this.#makeRoom(message);
    if (refusal !== undefined) return { kind: "refused", because: refusal };
    const { messageId } = message;
    let sequence = 0;
    const outcome = new Promise<PublishOutcome>((follow) => {
      sequence = this.#outbox.add(message, follow);
    });
    const store = this.#storeOf(message);
    const durable =
      store === undefined
        ? this.#inMemory
        : new Promise<Durability>((kept) => store.append(sequence, this.#outbox.storeNewest(), kept));
    return { kind: "accepted", outcome, durable, ...(messageId === "" ? undefined : { messageId }) };
  }

  /** QoS 0 may be lost on the way; a disk would be too much for it. */
  #storeOf(message: NewMessage): OutboxStore | undefined {
    return message.qos === 1 ? this.#store : undefined;
  }

  /** @returns undefined: the message is taken now, by the outbox and by the store. */
  #makeRoom(message: NewMessage): PublishRefusal | undefined {
    const recordBytes = recordLength(message);
    const room = this.#outbox.findRoom(recordBytes);
    if (room === "full") return "outbox_full";
    const refusal = room === "too_large" ? room : this.#storeOf(message)?.findRefusal(recordBytes);
    if (refusal !== undefined) return refusal === "too_large" ? "message_too_large" : refusal;
    if (room === "after_drop") {
      this.#outbox.dropFor(recordBytes, (dropped) => this.#takeDropped(dropped));
    }
    return undefined;
  }

  #outgoing({ isState, subfolder, payload, qos, messageId }: OutboxEntry): OutgoingMessage {
    const events = subfolder === "" ? this.#eventsTopic : `${this.#eventsTopic}/${subfolder}`;
    const topic = isState ? this.#stateTopic : events;
    return { topic, payload, qos, ...(messageId === "" ? undefined : { messageId }) };
  }

  #settle(key: number, outcome: PublishOutcome): SettledMessage | undefined {
    const message = this.#outbox.settle(key, outcome);
    if (message?.isStored === true) this.#store?.forget(message.sequence);
    return message;
  }

  #settleRefused(key: number, code: number): void {
    const message = this.#settle(key, { kind: "refused", reasonCode: code });
    if (message === undefined) return;
    this.#refused += 1;
    this.#tell({ kind: "message_refused", ...idOf(message), reasonCode: code });
  }

  #takeDropped(message: SettledMessage): void {
    if (message.isStored) this.#store?.forget(message.sequence);
    this.#dropped += 1;
    this.#tell({ kind: "message_dropped", ...idOf(message) });
  }
}

function idOf({ messageId }: SettledMessage): { readonly messageId?: string } {
  return messageId === "" ? {} : { messageId };
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

/** A Topic Name has no place for a +, which a subfolder may have. */
function isSubfolder(text: string): boolean {
  return isEventSubfolder(text) && !text.includes("+");
}
