/**
 * Keep-alive of one Network Connection, the client's half: when a PINGREQ is due, and when its answer is overdue.
 *
 * The silence that counts is the longer of the two: also when only we speak, a link that is dead one way is
 * found out by what does not come back (MQTT 5.0 §3.1.2.10 asks for PINGREQ only when we are silent).
 *
 * Left to others: sending the PINGREQ, and what follows a missing PINGRESP (`session.ts`).
 */

/** From PINGREQ to PINGRESP, and no longer than the silence before it: so a dead link is known within 1.5 keep-alives. */
export const pingAnswerMillisMax = 10_000;

/** A share of the keep-alive, so that a PINGREQ on a slow link still arrives in time. */
const pingShare = 0.75;

export class KeepAlive {
  #keepAliveMillis = 0;
  #sentMillis = 0;
  #receivedMillis = 0;
  #pingMillis: number | undefined;

  /** The connection begins, or the bridge's Server Keep Alive replaces ours. @param seconds 0 is off. */
  set(seconds: number): void {
    this.#keepAliveMillis = seconds * 1000;
  }

  sent(nowMillis: number): void {
    this.#sentMillis = nowMillis;
  }

  received(nowMillis: number): void {
    this.#receivedMillis = nowMillis;
  }

  /** PINGRESP came. */
  answered(): void {
    this.#pingMillis = undefined;
  }

  /** Since when a PINGREQ is without its answer, monotonic. */
  get unansweredSinceMillis(): number | undefined {
    return this.#pingMillis;
  }

  /** When {@link judge} wants to be called, monotonic; `undefined` for not at all. */
  get dueMillis(): number | undefined {
    if (this.#keepAliveMillis === 0) return undefined;
    const silenceMillis = this.#keepAliveMillis * pingShare;
    return this.#pingMillis === undefined
      ? Math.min(this.#sentMillis, this.#receivedMillis) + silenceMillis
      : this.#pingMillis + Math.min(pingAnswerMillisMax, silenceMillis);
  }

  /** @returns `ping`: send PINGREQ now, which counts as sent. `dead`: its answer is overdue. */
  judge(nowMillis: number): "fine" | "ping" | "dead" {
    const due = this.dueMillis;
    if (due === undefined || nowMillis < due) return "fine";
    if (this.#pingMillis !== undefined) return "dead";
    this.#pingMillis = nowMillis;
    return "ping";
  }
}
