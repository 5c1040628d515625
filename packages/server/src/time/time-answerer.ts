/**
 * Time answerer: signed time for whoever asks, while this bridge knows what time it is.
 *
 * It asks nobody who he is: a device that has lost its clock can mint no token. So every answer costs the asker as
 * many bytes as us, a signature is made within rate limits only, and UDP has limits of its own, so that a flood from
 * forged addresses leaves HTTPS its share. It would rather be silent than wrong: without a trusted clock, or outside
 * its delegation, nothing is signed.
 *
 * Left to others: sockets (`host/time-listener.ts`, `http/time-route.ts`), the key's file (`host/time-key-keeper.ts`),
 * whether the clock is to be trusted.
 */
import type { Clock, NumericDate } from "@mayfly/core";
import {
  decodeTimeRequest,
  encodeTimeMessage,
  joinTimeAnswer,
  TimeAnswerError,
  type TimeDelegation,
} from "@mayfly/core/time-answer";
import { RateLimit, type RateLimitOptions } from "./rate-limit.ts";

/**
 * What the bridge vouches for. It raises `clock_self` when its clock steps by more than a second, so an error of less
 * is one it would not notice itself.
 */
export const answerRadiusMillis = 1_000;

/**
 * For each way in. An answer takes about 60 µs, so 500 a second are 3 % of a core; a fleet of 10,000 that boots at
 * once has asked within 20 s. A source may be a site behind one address: 32 devices at once, two more each second.
 */
export const timeRateLimits: RateLimitOptions = {
  source: { burst: 32, perSecond: 2 },
  all: { burst: 500, perSecond: 500 },
  sourcesMax: 8_192,
};

export const timeWays = ["udp", "https"] as const;
export type TimeWay = (typeof timeWays)[number];

/** Why there is no answer. Closed set: a metric's label, and over HTTPS the header `mayfly-refusal`. */
export type TimeRefusal =
  | "request_malformed"
  | "rate_limited"
  /** `clock_self` is raised. */
  | "clock_untrusted"
  /** No online key with a delegation is here. */
  | "delegation_missing"
  /** The delegation is over, or has not begun. */
  | "outside_delegation";

export type TimeOutcome =
  /** 293 bytes. */
  | { readonly kind: "answered"; readonly bytes: Uint8Array }
  | { readonly kind: "refused"; readonly because: TimeRefusal };

/** Port: the bridge's own clock, and whether it believes it. */
export interface OwnClock {
  wallSeconds(): NumericDate;
  /** False while `clock_self` is raised. */
  readonly isTrusted: boolean;
}

/** The online key and the delegation that makes it worth something. */
export interface OnlineTimeKey {
  readonly bounds: Pick<TimeDelegation, "notBeforeMillis" | "notAfterMillis">;
  /** With the root's signature, 170 bytes. */
  readonly delegation: Uint8Array;
  /** @returns R‖S, 64 bytes, over SHA-256 of `message`. */
  sign(message: Uint8Array): Uint8Array;
}

/** Told of every request; must return quickly and must not throw. */
export interface TimeObserver {
  timeAsked(facts: { readonly way: TimeWay; readonly outcome: "answered" | TimeRefusal }): void;
}

export interface TimeAnswererPorts {
  readonly clock: Pick<Clock, "monotonicMillis">;
  readonly ownClock: OwnClock;
  /** The key of this moment; it may be replaced at any time. */
  findKey(): OnlineTimeKey | undefined;
  readonly observer: TimeObserver;
}

export interface TimeAnswerer {
  /** @param request What came, of any length. @param address The sender's. Never throws for what a peer sent. */
  answer(request: Uint8Array, address: string, way: TimeWay): TimeOutcome;
}

export function createTimeAnswerer(ports: TimeAnswererPorts, limits = timeRateLimits): TimeAnswerer {
  const { ownClock, observer } = ports;
  const limitOf = { udp: new RateLimit(ports.clock, limits), https: new RateLimit(ports.clock, limits) };

  function outcomeOf(request: Uint8Array, address: string, way: TimeWay): TimeOutcome {
    const nonce = findNonce(request);
    if (nonce === undefined) return refused("request_malformed");
    const ready = readyKey(ports);
    if (typeof ready === "string") return refused(ready);
    if (!limitOf[way].take(address)) return refused("rate_limited");
    const timeMillis = Math.floor(ownClock.wallSeconds() * 1000);
    const message = encodeTimeMessage({ nonce, timeMillis, radiusMillis: answerRadiusMillis });
    return { kind: "answered", bytes: joinTimeAnswer(message, ready.sign(message), ready.delegation) };
  }

  return {
    answer(request, address, way) {
      const outcome = outcomeOf(request, address, way);
      observer.timeAsked({ way, outcome: outcome.kind === "answered" ? "answered" : outcome.because });
      return outcome;
    },
  };
}

/** @returns The key that may sign now, or why none may. */
export function readyKey({
  ownClock,
  findKey,
}: Pick<TimeAnswererPorts, "ownClock" | "findKey">):
  | OnlineTimeKey
  | "clock_untrusted"
  | "delegation_missing"
  | "outside_delegation" {
  const key = findKey();
  if (key === undefined) return "delegation_missing";
  if (!ownClock.isTrusted) return "clock_untrusted";
  const { notBeforeMillis, notAfterMillis } = key.bounds;
  const nowMillis = ownClock.wallSeconds() * 1000;
  return nowMillis >= notBeforeMillis && nowMillis <= notAfterMillis ? key : "outside_delegation";
}

function refused(because: TimeRefusal): TimeOutcome {
  return { kind: "refused", because };
}

function findNonce(request: Uint8Array): Uint8Array | undefined {
  try {
    return decodeTimeRequest(request);
  } catch (error) {
    if (error instanceof TimeAnswerError) return undefined;
    throw error;
  }
}
