/**
 * What of a Session outlives its Network Connection: PUBLISHes without PUBACK, PUBACKs we owe, and whether we are
 * subscribed (MQTT 3.1.1 §3.1.2.4).
 *
 * Two connections share one while the newer waits for its CONNACK: the older goes on settling what its PUBACKs
 * answer, and the newer touches nothing before the bridge said whether the Session is present. So no identifier
 * is ever free on one side and in flight on the other.
 *
 * Left to others: sending again what is in flight (`uplink.ts`), and how many connections share it (`changeover.ts`).
 */
import type { OutgoingMessage } from "../outbox.ts";
import { DownlinkAcknowledgements } from "./downlink-acknowledgements.ts";

/** A QoS 1 PUBLISH of ours. */
export interface InFlight {
  /** The caller's. */
  readonly key: number;
  readonly message: OutgoingMessage;
  /** When it was written last, monotonic. */
  writtenMillis: number;
  /** How often the bridge answered "not now". */
  readonly postponedTimes: number;
}

export class SessionState {
  readonly downlink = new DownlinkAcknowledgements();
  /** By Packet Identifier, in the order in which they were sent first. */
  readonly #inFlight = new Map<number, InFlight>();
  /** Answered "not now", oldest first; with those in flight never more than the window. */
  #postponed: InFlight[] = [];
  #lastIdentifier = 0;
  /** Packet Identifier of the SUBSCRIBE that waits for its SUBACK. */
  #subscribing: number | undefined;
  #isSubscribed = false;

  get inFlight(): ReadonlyMap<number, InFlight> {
    return this.#inFlight;
  }

  /** When the one in flight that was sent first was written last. */
  get oldestMillis(): number | undefined {
    for (const { writtenMillis } of this.#inFlight.values()) return writtenMillis;
    return undefined;
  }

  get postponed(): readonly InFlight[] {
    return this.#postponed;
  }

  /** The bridge has granted in this Session what it ever will. */
  get isSubscribed(): boolean {
    return this.#isSubscribed;
  }

  /** @returns A Packet Identifier that nothing in flight has. */
  freeIdentifier(): number {
    do {
      this.#lastIdentifier = (this.#lastIdentifier % 0xffff) + 1;
    } while (this.#inFlight.has(this.#lastIdentifier) || this.#lastIdentifier === this.#subscribing);
    return this.#lastIdentifier;
  }

  sent(packetIdentifier: number, inFlight: InFlight): void {
    this.#inFlight.set(packetIdentifier, inFlight);
  }

  /** PUBACK came. @returns What it answers, `undefined` for nothing we sent. */
  acknowledged(packetIdentifier: number): InFlight | undefined {
    const inFlight = this.#inFlight.get(packetIdentifier);
    this.#inFlight.delete(packetIdentifier);
    return inFlight;
  }

  /** To be sent again under another Packet Identifier. */
  postpone(inFlight: InFlight): void {
    this.#postponed.push(inFlight);
  }

  /** @returns The oldest that was postponed, which is so no more. */
  takePostponed(): InFlight | undefined {
    return this.#postponed.shift();
  }

  subscribing(): number {
    this.#subscribing = this.freeIdentifier();
    return this.#subscribing;
  }

  /** SUBACK came. @returns Whether it answers the SUBSCRIBE under way. */
  subscribed(packetIdentifier: number): boolean {
    if (packetIdentifier !== this.#subscribing) return false;
    this.#subscribing = undefined;
    return true;
  }

  /** Nothing is left to be subscribed to. */
  settledSubscriptions(): void {
    this.#isSubscribed = true;
  }

  /** The bridge has the Session too: it goes on over a new Network Connection. */
  resume(): void {
    this.#subscribing = undefined;
    this.downlink.carryOver();
  }

  /** The bridge has no such Session: a new one begins. */
  startOver(): void {
    this.#inFlight.clear();
    this.#postponed = [];
    this.#subscribing = undefined;
    this.#isSubscribed = false;
    this.downlink.clear();
  }
}
