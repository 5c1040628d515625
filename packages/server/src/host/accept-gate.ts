/**
 * Accept gate: so many new connections a second begin their TLS handshake; the others wait, in order.
 *
 * A handshake takes most of a millisecond in which nobody else is served, and nothing is known of the peer before it
 * ends. So when a whole fleet comes back at once, the live sessions' packets and renewals keep their share of the
 * event loop. A token bucket: a burst is taken at once, then a steady rate.
 */
import type { CancelTimer, Clock, Timers } from "@mayfly/core";

/** Handshakes begun per second once the burst is spent. */
export const acceptsPerSecond = 500;
/** Begun at once after a quiet second. */
export const acceptsBurst = 500;
/** Connections that may wait for their turn; one more is closed at once. */
export const acceptsWaitingMax = 2_000;
/** How often those that wait are looked at. */
const tickMillis = 20;

interface Waiting {
  readonly proceed: () => void;
}

export class AcceptGate {
  readonly #clock: Pick<Clock, "monotonicMillis">;
  readonly #timers: Timers;
  readonly #waiting = new Set<Waiting>();
  #tokens = acceptsBurst;
  #filledMillis: number;
  #cancelTick: CancelTimer | undefined;

  constructor(ports: { readonly clock: Pick<Clock, "monotonicMillis">; readonly timers: Timers }) {
    this.#clock = ports.clock;
    this.#timers = ports.timers;
    this.#filledMillis = ports.clock.monotonicMillis();
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * @param proceed called at once or when the turn comes.
   * @returns leave the line; undefined where it is too long already.
   */
  enter(proceed: () => void): (() => void) | undefined {
    this.#fill();
    if (this.#waiting.size === 0 && this.#tokens >= 1) {
      this.#tokens -= 1;
      proceed();
      return () => undefined;
    }
    if (this.#waiting.size >= acceptsWaitingMax) return undefined;
    const one: Waiting = { proceed };
    this.#waiting.add(one);
    this.#tickLater();
    return () => this.#waiting.delete(one);
  }

  /** Nobody waits any more. */
  close(): void {
    this.#waiting.clear();
    this.#cancelTick?.();
    this.#cancelTick = undefined;
  }

  #fill(): void {
    const nowMillis = this.#clock.monotonicMillis();
    const grown = ((nowMillis - this.#filledMillis) * acceptsPerSecond) / 1000;
    this.#tokens = Math.min(acceptsBurst, this.#tokens + grown);
    this.#filledMillis = nowMillis;
  }

  #tickLater(): void {
    this.#cancelTick ??= this.#timers.after(tickMillis, () => {
      this.#cancelTick = undefined;
      this.#fill();
      for (const one of this.#waiting) {
        if (this.#tokens < 1) break;
        this.#tokens -= 1;
        this.#waiting.delete(one);
        one.proceed();
      }
      if (this.#waiting.size > 0) this.#tickLater();
    });
  }
}
