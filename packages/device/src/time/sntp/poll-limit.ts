/**
 * Poll limit: how often one server may be asked, whatever its answers are worth to us.
 *
 * Public time is a gift, and clients that asked without end have taken whole servers off the network. So: at start
 * four packets, 2 s apart; afterwards one in 64 s at the most; on the kiss code RATE half as often as so far, and on
 * DENY or RSTR never again until this program is started anew (RFC 5905 §7.4, RFC 8633 §3.2).
 *
 * Left to others: how often it is worth asking.
 */
import type { NtpKiss } from "./ntp-packet.ts";

export const startPacketsMax = 4;
export const startGapMillis = 2_000;
export const pollMillisMin = 64_000;
/** RFC 5905 MAXPOLL, 2^17 s, a day and a half: doubling ends here. */
export const pollMillisMax = 131_072_000;

export class PollLimit {
  #startPacketsLeft = startPacketsMax;
  #intervalMillis = pollMillisMin;
  #sentMillis = Number.NEGATIVE_INFINITY;
  /** From the packet before the last to the last: what RATE says was too short. */
  #gapMillis = 0;
  #isStopped = false;

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Monotonic instant from which the next packet may be sent; infinite for a server that said stop. */
  get dueMillis(): number {
    if (this.#isStopped) return Number.POSITIVE_INFINITY;
    return this.#sentMillis + (this.#startPacketsLeft > 0 ? startGapMillis : this.#intervalMillis);
  }

  sent(atMillis: number): void {
    if (this.#startPacketsLeft > 0) this.#startPacketsLeft -= 1;
    if (this.#sentMillis !== Number.NEGATIVE_INFINITY) this.#gapMillis = atMillis - this.#sentMillis;
    this.#sentMillis = atMillis;
  }

  kissed(kiss: NtpKiss): void {
    if (kiss === "stop") {
      this.#isStopped = true;
      return;
    }
    this.#startPacketsLeft = 0;
    this.#intervalMillis = Math.min(pollMillisMax, 2 * Math.max(this.#intervalMillis, this.#gapMillis));
  }
}
