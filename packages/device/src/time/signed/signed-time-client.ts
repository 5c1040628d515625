/**
 * Signed time client: asks the bridge what time it is and believes what a pinned root vouches for, and nothing else.
 *
 * Each question has a nonce of its own, so an answer to it was made after it was sent. Anybody can send us a datagram;
 * what is not believed changes nothing but the reason told at the end: we go on waiting, and ask again. Waits,
 * questions and verifications are counted, since a chip takes a tenth of a second for each signature.
 *
 * Left to others: the rules of belief (core's `verifyTimeAnswer`), what a signed time may move (`time-keeper.ts`).
 */
import type { NumericDate, Random } from "@mayfly/core";
import {
  encodeTimeRequest,
  TimeAnswerError,
  type TimeAnswerErrorCode,
  type TimeVerifierPorts,
  timeNonceBytes,
  timePinsMax,
  timePublicKeyBytes,
  type VerifiedTime,
  verifyTimeAnswer,
} from "@mayfly/core/time-answer";
import { OneTimer } from "../../one-timer.ts";
import { AgentOptionError } from "../../options.ts";
import type { OpenDatagram } from "../../ports.ts";
import { checkPeer, type DatagramPeer, type ExchangePorts, exchangeDatagram } from "../datagram-exchange.ts";
import type { TimeSample } from "../time-sample.ts";

/** Questions over UDP, each with a nonce of its own, before we give up or take the fallback. */
export const signedTimeTriesMax = 3;
/** From one question to the next, at least: well within what the bridge answers one source. */
export const signedTimeGapMillis = 2_000;
/** How long an answer is waited for. Half of it is uncertainty, so a longer one would be worth little. */
export const signedTimeWaitMillis = 2_000;
/** Answers to a question of ours whose signatures are looked at, of all questions together. */
export const verificationsMax = 4;
export const signedTimeLimitSecondsDefault = 5;
export const signedTimeLimitSecondsMax = 30;

export interface SignedTimePorts extends ExchangePorts, TimeVerifierPorts {
  readonly random: Random;
  /** Another way to the same service, for one question more when those over UDP had no answer. It knows where it leads. */
  readonly openFallback?: OpenDatagram;
}

export interface SignedTimeOptions {
  /** The bridge's UDP time service; its usual port is 8037. */
  readonly server: DatagramPeer;
  /** Public keys of the roots to believe, X‖Y, 64 bytes each: 1 or 2. */
  readonly pins: readonly Uint8Array[];
  /** Largest uncertainty worth having, 1 to 30 s, default 5 s: the bridge's radius is 1 s. */
  readonly limitSeconds?: number;
}

export type SignedTimeNone =
  | "silence"
  /** The name is not known, nobody listens at the port, or no socket could be had. */
  | "unreachable"
  /** The verifier itself failed: no bus to the chip, or a pin that is no point of the curve. */
  | "verifier_failed";

export type SignedTimeOutcome =
  | {
      readonly kind: "verified";
      readonly sample: TimeSample;
      /** Which of the pins vouched, from 0. */
      readonly pin: number;
      readonly delegationEnds: NumericDate;
    }
  /** Something came, and this is why the last of it was not believed. */
  | { readonly kind: "refused"; readonly because: TimeAnswerErrorCode }
  | { readonly kind: "none"; readonly because: SignedTimeNone };

type Failure = Exclude<SignedTimeOutcome, { readonly kind: "verified" }>;

export class SignedTimeClient {
  readonly #ports: SignedTimePorts;
  readonly #server: DatagramPeer;
  readonly #pins: readonly Uint8Array[];
  readonly #limitMillis: number;
  readonly #timer: OneTimer;
  readonly #fallbackPorts: ExchangePorts | undefined;
  #settle: ((outcome: SignedTimeOutcome) => void) | undefined;
  #triesLeft = 0;
  #verificationsLeft = 0;
  #beganMillis = 0;
  /** What will be told if nothing better comes: a refusal says more than silence. */
  #failure: Failure = { kind: "none", because: "silence" };
  #cancelExchange: (() => void) | undefined;
  /** A verification's outcome counts only while this is still its own: `stop` and the next `ask` change it. */
  #run = 0;
  #isVerifying = false;
  #isWaitOver = false;

  /** @throws {AgentOptionError} No pin, more than two, one of another length, a port or a limit out of range. */
  constructor(ports: SignedTimePorts, options: SignedTimeOptions) {
    checkOptions(options);
    this.#ports = ports;
    this.#server = options.server;
    this.#pins = options.pins;
    this.#limitMillis = (options.limitSeconds ?? signedTimeLimitSecondsDefault) * 1000;
    this.#timer = new OneTimer(ports.timers);
    const { clock, timers, openFallback } = ports;
    this.#fallbackPorts = openFallback && { clock, timers, openDatagram: openFallback };
  }

  /**
   * Asks, up to {@link signedTimeTriesMax} times, and once more by the fallback where there is one.
   *
   * @param settle Told once, never synchronously, within 15 s (with a fallback 20 s) and what the verifier takes for
   *   {@link verificationsMax} answers.
   * @throws {Error} A question is under way: a bug of the caller.
   */
  ask(settle: (outcome: SignedTimeOutcome) => void): void {
    if (this.#settle !== undefined) throw new Error("one question at a time");
    this.#settle = settle;
    this.#run += 1;
    this.#triesLeft = signedTimeTriesMax + (this.#fallbackPorts === undefined ? 0 : 1);
    this.#verificationsLeft = verificationsMax;
    this.#failure = { kind: "none", because: "silence" };
    this.#try();
  }

  /** Gives up; `settle` is then not called. */
  stop(): void {
    this.#run += 1;
    this.#settle = undefined;
    this.#isVerifying = false;
    this.#timer.clear();
    this.#cancelExchange?.();
    this.#cancelExchange = undefined;
  }

  #try(): void {
    const nonce = this.#ports.random.fill(new Uint8Array(timeNonceBytes));
    this.#triesLeft -= 1;
    this.#beganMillis = this.#ports.clock.monotonicMillis();
    this.#isWaitOver = false;
    const fallback = this.#triesLeft === 0 ? this.#fallbackPorts : undefined;
    this.#cancelExchange = exchangeDatagram(fallback ?? this.#ports, this.#server, signedTimeWaitMillis, {
      request: () => encodeTimeRequest(nonce),
      received: (bytes, sentMillis, receivedMillis) => {
        this.#received(bytes, nonce, sentMillis, receivedMillis);
        return false;
      },
      ended: (because) => {
        if (because === "unreachable") this.#failed({ kind: "none", because });
        this.#isWaitOver = true;
        this.#tryAgainOrEnd();
      },
    });
  }

  /** One verification at a time; what comes meanwhile is dropped as the network might have dropped it. */
  #received(bytes: Uint8Array, nonce: Uint8Array, sentMillis: number, receivedMillis: number): void {
    if (this.#isVerifying || this.#verificationsLeft === 0) return;
    this.#isVerifying = true;
    const run = this.#run;
    const roundTripMillis = receivedMillis - sentMillis;
    const expected = { nonce, pins: this.#pins, roundTripMillis, limitMillis: this.#limitMillis };
    verifyTimeAnswer(bytes, expected, this.#ports).then(
      (verified) => {
        if (run === this.#run) this.#verified(verified, receivedMillis);
      },
      (error: unknown) => {
        if (run === this.#run) this.#refused(error);
      },
    );
  }

  #verified({ now, uncertaintySeconds, pin, delegationEnds }: VerifiedTime, receivedMillis: number): void {
    const sample = { atMillis: receivedMillis, seconds: now, boundSeconds: uncertaintySeconds };
    this.#end({ kind: "verified", sample, pin, delegationEnds });
  }

  #refused(error: unknown): void {
    this.#isVerifying = false;
    if (!(error instanceof TimeAnswerError)) {
      this.#verificationsLeft -= 1;
      this.#failed({ kind: "none", because: "verifier_failed" });
    } else {
      if (costsVerification[error.code]) this.#verificationsLeft -= 1;
      this.#failed({ kind: "refused", because: error.code });
    }
    if (this.#isWaitOver) this.#tryAgainOrEnd();
  }

  #failed(failure: Failure): void {
    const isSilence = failure.kind === "none" && failure.because === "unreachable";
    // That nobody listens any more says less than what somebody has said before.
    if (isSilence && this.#failure.kind === "refused") return;
    this.#failure = failure;
  }

  #tryAgainOrEnd(): void {
    if (this.#isVerifying) return;
    if (this.#triesLeft === 0 || this.#verificationsLeft === 0) {
      this.#end(this.#failure);
      return;
    }
    const elapsedMillis = this.#ports.clock.monotonicMillis() - this.#beganMillis;
    this.#timer.set(Math.max(0, signedTimeGapMillis - elapsedMillis), () => this.#try());
  }

  #end(outcome: SignedTimeOutcome): void {
    const settle = this.#settle;
    this.stop();
    settle?.(outcome);
  }
}

/** Which refusals come after a signature was looked at; the others cost nothing. */
const costsVerification = {
  time_request_malformed: false,
  time_delegation_malformed: false,
  time_delegation_too_long: false,
  time_delegation_signature_invalid: true,
  time_answer_malformed: false,
  time_nonce_mismatch: false,
  time_outside_delegation: false,
  time_too_uncertain: false,
  time_signature_invalid: true,
} as const satisfies Record<TimeAnswerErrorCode, boolean>;

function checkOptions({ server, pins, limitSeconds = 1 }: SignedTimeOptions): void {
  if (pins.length < 1 || pins.length > timePinsMax) {
    throw new AgentOptionError(`1 or ${timePinsMax} time roots are pinned, not ${pins.length}`);
  }
  if (pins.some((pin) => pin.length !== timePublicKeyBytes)) {
    throw new AgentOptionError(`a time root's public key is X‖Y, ${timePublicKeyBytes} bytes`);
  }
  if (!(limitSeconds >= 1 && limitSeconds <= signedTimeLimitSecondsMax)) {
    throw new AgentOptionError(`the limit of signed time is 1 to ${signedTimeLimitSecondsMax} s`);
  }
  checkPeer(server);
}
