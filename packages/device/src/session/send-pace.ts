/**
 * Send pace: no more messages, and no more bytes, in a second than the contract has for one connection.
 *
 * For each of the two a theoretical time of arrival moves on with what is sent, as in a leaky bucket (ITU-T I.371, GCRA):
 * a message may go while that time is less than a fifth of a second ahead. So a fifth of a second's worth may go at once,
 * and in any second at most a fifth more than the rate.
 *
 * Left to others: waiting (`uplink.ts`).
 */

/** How far ahead of the rate we may be. */
export const burstMillis = 200;

export class SendPace {
  readonly #messageMillis: number;
  readonly #byteMillis: number;
  #messagesDue = 0;
  #bytesDue = 0;

  constructor(rate: { readonly messagesPerSecond: number; readonly bytesPerSecond: number }) {
    this.#messageMillis = 1_000 / rate.messagesPerSecond;
    this.#byteMillis = 1_000 / rate.bytesPerSecond;
  }

  /** From when on the next message may go, monotonic; in the past where it may go now. */
  get readyMillis(): number {
    const ahead = Math.max(burstMillis - this.#messageMillis, 0);
    return Math.max(this.#messagesDue - ahead, this.#bytesDue - burstMillis);
  }

  sent(bytes: number, nowMillis: number): void {
    this.#messagesDue = Math.max(this.#messagesDue, nowMillis) + this.#messageMillis;
    this.#bytesDue = Math.max(this.#bytesDue, nowMillis) + bytes * this.#byteMillis;
  }
}
