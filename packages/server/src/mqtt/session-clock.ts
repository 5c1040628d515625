/**
 * When a session is over by the clock alone: its right ends, its peer is silent, the bridge drains.
 *
 * The deadline is wall time turned into monotonic time at admission, so a step of this machine's clock neither
 * prolongs nor shortens it; it is turned again only when the right is another, or when the bridge finds that it was
 * wrong about the time.
 *
 * Left to others: the wake at the due time (`live-session.ts`), the waits of the session's parts, and what the right is
 * (`auth/admission.ts`).
 */
import type { Clock } from "@mayfly/core";
import type { DevicePrincipal } from "../auth/admission.ts";
import type { CloseReason } from "./close-reason.ts";
import { drainWaitMillis } from "./limits.ts";
import type { SessionCarrier } from "./session-carrier.ts";

const never = Number.POSITIVE_INFINITY;

export class SessionClock {
  readonly admittedMillis: number;
  readonly #clock: Clock;
  readonly #carrier: Pick<SessionCarrier, "lastReceivedMillis" | "isPaused" | "pausedMillis">;
  readonly #keepAliveMillis: number;
  #deadlineMillis = 0;
  #deadlineBecause: CloseReason = "token_expired";
  #drainStartsMillis = never;
  #drainEndsMillis = never;

  /** @param keepAliveMillis the silence that is allowed. */
  constructor(
    clock: Clock,
    carrier: Pick<SessionCarrier, "lastReceivedMillis" | "isPaused" | "pausedMillis">,
    keepAliveMillis: number,
  ) {
    this.#clock = clock;
    this.#carrier = carrier;
    this.#keepAliveMillis = keepAliveMillis;
    this.admittedMillis = clock.monotonicMillis();
  }

  /** Monotonic time at which the session's right ends. */
  get deadlineMillis(): number {
    return this.#deadlineMillis;
  }

  /** Wall time at which the session ends at the latest. */
  get deadlineSeconds(): number {
    return this.#clock.wallSeconds() + (this.#deadlineMillis - this.#clock.monotonicMillis()) / 1000;
  }

  /** When something is to be done at the latest; monotonic. */
  get dueMillis(): number {
    return Math.min(
      this.#deadlineMillis,
      this.#silenceEndsMillis,
      this.#drainStartsMillis,
      this.#drainEndsMillis,
    );
  }

  /** Whether nothing more is taken. */
  get isDraining(): boolean {
    return this.#drainEndsMillis !== never;
  }

  /** What is due whatever else is: a reason to end, or that the drain begins. */
  findDue(nowMillis: number): CloseReason | "drain" | undefined {
    if (nowMillis >= this.#deadlineMillis) return this.#deadlineBecause;
    if (nowMillis >= this.#drainStartsMillis) return "drain";
    return nowMillis >= this.#drainEndsMillis ? "shutting_down" : undefined;
  }

  /** Why it ends for silence, if it does. */
  findSilence(nowMillis: number): CloseReason | undefined {
    if (nowMillis < this.#silenceEndsMillis) return undefined;
    return this.#carrier.isPaused ? "server_busy" : "keep_alive";
  }

  /** The deadline of `principal`'s right, by what the bridge believes of the time now. */
  setDeadline({ deadlineSeconds, deadlineBecause, policy }: DevicePrincipal): void {
    const clock = this.#clock;
    const rightEndsMillis = clock.monotonicMillis() + (deadlineSeconds - clock.wallSeconds()) * 1000;
    const connectionEndsMillis = this.admittedMillis + policy.connectionMaxSeconds * 1000;
    this.#deadlineMillis = Math.min(rightEndsMillis, connectionEndsMillis);
    this.#deadlineBecause = rightEndsMillis <= connectionEndsMillis ? deadlineBecause : "connection_maximum";
  }

  drainAt(atMillis: number): void {
    this.#drainStartsMillis = atMillis;
  }

  /** The drain begins, and has an end. */
  startDrain(): void {
    this.#drainStartsMillis = never;
    this.#drainEndsMillis = this.#clock.monotonicMillis() + drainWaitMillis;
  }

  /**
   * The client has one and a half of its Keep Alive to be heard of. While we do not read, it is its PINGREQ that
   * goes unread: half a Keep Alive of that, a third of the allowance, and we let it go elsewhere.
   */
  get #silenceEndsMillis(): number {
    const { lastReceivedMillis, isPaused, pausedMillis } = this.#carrier;
    return isPaused ? pausedMillis + this.#keepAliveMillis / 3 : lastReceivedMillis + this.#keepAliveMillis;
  }
}
