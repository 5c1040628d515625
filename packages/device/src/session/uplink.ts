/**
 * Uplink: our own PUBLISHes on one Network Connection, from the first writing to the answer that settles them.
 *
 * What may go is the least of five: the bridge's Receive Maximum or our own window, its Maximum Packet Size, the contract's
 * pace, what the network has not taken yet, and a pause where the bridge answered "not now". A message answered so gives its
 * Packet Identifier back and goes again under a new one, ahead of all others, a bounded number of times.
 *
 * Left to others: which message is next (`outbox.ts`), and what a Session carries over (`session-state.ts`).
 */
import { type ProtocolVersion, type PubackPacket, reasonCode } from "@mayfly/core/mqtt";
import { encodePublish } from "@mayfly/core/mqtt-client";
import type { OutgoingMessage } from "../outbox.ts";
import type { BridgeLimits } from "./bridge-limits.ts";
import { earlier } from "./earlier.ts";
import { type PublishForm, publishPacket } from "./packets-sent.ts";
import { readReasonWords } from "./reason-words.ts";
import { actionOfPuback, againPauseMillis, againTimesMax } from "./refusal.ts";
import { SendPace } from "./send-pace.ts";
import type { SessionOutput, SessionReport } from "./session-report.ts";
import type { InFlight, SessionState } from "./session-state.ts";
import { OutgoingAliases } from "./topic-aliases.ts";
import type { WireSettings } from "./wire-settings.ts";

/**
 * From a PUBLISH to its PUBACK. MQTT lets a message be sent again on a new connection alone, and Cloud IoT Core drops one
 * without a PUBACK when it is out of buffers: so a connection that owes one for so long is given up. Long enough for
 * {@link unsentBytesMax} and a large message on a link of 4 KiB a second.
 */
export const pubackMillisMax = 120_000;
/** The pause after "not now" is twice as long each time in a row, up to this. */
export const againPauseMillisMax = 60_000;
/** Written and not taken by the network: above it nothing is added. */
export const unsentBytesMax = 256 * 1024;
/** How soon the network is asked again. */
export const unsentRetryMillis = 100;

export class Uplink {
  readonly #version: ProtocolVersion;
  readonly #state: SessionState;
  readonly #output: SessionOutput;
  readonly #write: (bytes: Uint8Array) => void;
  readonly #pace: SendPace;
  #aliases = new OutgoingAliases(0);
  #inFlightMaximum: number;
  #packetBytesMax = Number.POSITIVE_INFINITY;
  /** No PUBLISH of QoS 1 before this. */
  #pausedUntilMillis = 0;
  #pauseMillis = 0;
  /** When somebody who was told to wait should ask again; `undefined` while nobody waits. */
  #askAgainMillis: number | undefined;

  constructor(
    options: { readonly protocolVersion: ProtocolVersion; readonly wire: WireSettings },
    state: SessionState,
    output: SessionOutput,
    write: (bytes: Uint8Array) => void,
  ) {
    this.#version = options.protocolVersion;
    this.#pace = new SendPace(options.wire);
    this.#inFlightMaximum = options.wire.inFlightMaximum;
    this.#state = state;
    this.#output = output;
    this.#write = write;
  }

  connected(limits: BridgeLimits): void {
    this.#inFlightMaximum = Math.min(this.#inFlightMaximum, limits.receiveMaximum);
    this.#packetBytesMax = limits.packetBytesMax;
    this.#aliases = new OutgoingAliases(limits.topicAliasMaximum);
  }

  /** When {@link tick} wants to be called. */
  get dueMillis(): number | undefined {
    const { oldestMillis, postponed } = this.#state;
    const overdue = oldestMillis === undefined ? undefined : oldestMillis + pubackMillisMax;
    const again = postponed.length === 0 ? undefined : this.#pausedUntilMillis;
    return earlier(overdue, earlier(again, this.#askAgainMillis));
  }

  /** The bridge has owed a PUBACK for too long. */
  isOverdue(nowMillis: number): boolean {
    const { oldestMillis } = this.#state;
    return oldestMillis !== undefined && nowMillis >= oldestMillis + pubackMillisMax;
  }

  /** @returns Whether a message of this QoS may be written now; where time alone is missing, {@link tick} tells when it has come. */
  mayPublish(qos: 0 | 1, nowMillis: number): boolean {
    const occupied = this.#state.inFlight.size + this.#state.postponed.length;
    if (qos === 1 && occupied >= this.#inFlightMaximum) return false;
    const readyMillis =
      this.#output.bufferedBytes() > unsentBytesMax
        ? nowMillis + unsentRetryMillis
        : Math.max(this.#pace.readyMillis, qos === 1 ? this.#pausedUntilMillis : 0);
    if (readyMillis <= nowMillis) return true;
    this.#askAgainMillis = Math.min(readyMillis, this.#askAgainMillis ?? readyMillis);
    return false;
  }

  /**
   * Ask {@link mayPublish} first.
   *
   * @param key Comes back in `answered`, QoS 1 only.
   * @returns `too_large` when the bridge's Maximum Packet Size forbids it; nothing was written then.
   */
  publish(message: OutgoingMessage, key: number, nowMillis: number): "written" | "too_large" {
    if (message.qos === 0) return this.#put(message, undefined, "first", nowMillis);
    return this.#putFirst({ key, message, writtenMillis: nowMillis, postponedTimes: 0 }, nowMillis);
  }

  /** The Session goes on [MQTT-4.4.0-1]. @returns How many PUBLISHes were written again. */
  resume(nowMillis: number): number {
    for (const [packetIdentifier, inFlight] of this.#state.inFlight) {
      inFlight.writtenMillis = nowMillis;
      if (this.#put(inFlight.message, packetIdentifier, "again", nowMillis) === "written") continue;
      this.#state.acknowledged(packetIdentifier);
      this.#reportTooLarge(inFlight.key);
    }
    const resent = this.#state.inFlight.size;
    return resent + this.#sendPostponed(nowMillis);
  }

  /** @returns What to report: nothing for a PUBACK that answers nothing of ours. */
  takePuback(packet: PubackPacket, nowMillis: number): SessionReport | undefined {
    const answered = this.#state.acknowledged(packet.packetIdentifier);
    if (answered === undefined) return undefined;
    const action = actionOfPuback(packet.reasonCode);
    if (action === "again" && answered.postponedTimes < againTimesMax - 1) {
      return this.#postpone(answered, packet.reasonCode, nowMillis);
    }
    if (action === "done") this.#pauseMillis = 0;
    const words = readReasonWords(packet.properties);
    return { kind: "answered", key: answered.key, reasonCode: packet.reasonCode, ...words };
  }

  /** Sends what was postponed, once its time has come. @returns Whether who waits should ask again. */
  tick(nowMillis: number): boolean {
    if (nowMillis >= this.#pausedUntilMillis) this.#sendPostponed(nowMillis);
    if (this.#askAgainMillis === undefined || nowMillis < this.#askAgainMillis) return false;
    this.#askAgainMillis = undefined;
    return true;
  }

  #postpone(answered: InFlight, code: number, nowMillis: number): SessionReport {
    // The window may be full of messages that are answered alike: they are one "not now", and make one pause.
    if (nowMillis >= this.#pausedUntilMillis) {
      this.#pauseMillis = Math.min(againPauseMillisMax, this.#pauseMillis * 2 || againPauseMillis);
      this.#pausedUntilMillis = nowMillis + this.#pauseMillis;
    }
    this.#state.postpone({ ...answered, postponedTimes: answered.postponedTimes + 1 });
    return { kind: "postponed", reasonCode: code, retryMillis: this.#pausedUntilMillis - nowMillis };
  }

  /** @returns How many were written. */
  #sendPostponed(nowMillis: number): number {
    let written = 0;
    for (let next = this.#state.takePostponed(); next !== undefined; next = this.#state.takePostponed()) {
      if (this.#putFirst(next, nowMillis) === "written") written += 1;
      else this.#reportTooLarge(next.key);
    }
    return written;
  }

  /** The bridge takes less on this connection than on the one before. */
  #reportTooLarge(key: number): void {
    this.#output.report({ kind: "answered", key, reasonCode: reasonCode.packetTooLarge });
  }

  #putFirst(inFlight: InFlight, nowMillis: number): "written" | "too_large" {
    const packetIdentifier = this.#state.freeIdentifier();
    inFlight.writtenMillis = nowMillis;
    // Before it is written: a link that answers at once finds it in flight.
    this.#state.sent(packetIdentifier, inFlight);
    const outcome = this.#put(inFlight.message, packetIdentifier, "first", nowMillis);
    if (outcome === "too_large") this.#state.acknowledged(packetIdentifier);
    return outcome;
  }

  #put(
    message: OutgoingMessage,
    packetIdentifier: number | undefined,
    time: "first" | "again",
    nowMillis: number,
  ): "written" | "too_large" {
    const known = this.#aliases.known(message.topic);
    const offered = known === 0 ? this.#aliases.next() : 0;
    let bytes = this.#encode(message, { packetIdentifier, time, known, offered });
    let learns = offered !== 0;
    if (bytes.length > this.#packetBytesMax && learns) {
      bytes = this.#encode(message, { packetIdentifier, time, known, offered: 0 });
      learns = false;
    }
    if (bytes.length > this.#packetBytesMax) return "too_large";
    if (learns) this.#aliases.learnt(message.topic);
    this.#pace.sent(bytes.length, nowMillis);
    this.#write(bytes);
    return "written";
  }

  #encode(message: OutgoingMessage, form: PublishForm): Uint8Array {
    return encodePublish(publishPacket(message, form, this.#version), this.#version);
  }
}
