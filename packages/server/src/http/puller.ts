/**
 * Long polls: a pull that finds nothing waits for the next durable message instead of answering empty.
 *
 * The backbone's hint says when to look again; a look once a second finds what no hint tells of, such as a
 * lease that ended. Waits are bounded in length and in number.
 */
import type { Timers } from "@mayfly/core";
import type { Backbone, ReceivedMessage, Subscription } from "../telemetry/backbone.ts";
import { ApiError } from "./api-error.ts";

/** Pulls that may wait at once; one more is refused RESOURCE_EXHAUSTED. */
export const WAITING_PULLS_MAX = 500;
const lookAgainMillis = 1_000;

export interface WaitingPull {
  /** Empty when the wait ended without a message. */
  readonly messages: Promise<readonly ReceivedMessage[]>;
  /** Ends the wait: the caller left. Harmless afterwards. */
  readonly abandon: () => void;
}

export interface Puller {
  /** @param waitSeconds 0 answers at once. */
  pull(subscription: Subscription, max: number, waitSeconds: number): WaitingPull;
  waiting(): number;
  /** Ends all waits; later pulls wait no more. */
  close(): void;
}

export function createPuller(
  ports: { readonly backbone: Pick<Backbone, "pull" | "onDurable">; readonly timers: Timers },
  waitingMax = WAITING_PULLS_MAX,
): Puller {
  const waits = new Set<() => void>();
  let isClosed = false;

  async function waitForMessages(
    subscription: Subscription,
    max: number,
    waitSeconds: number,
    whenAbandoned: (end: () => void) => void,
  ): Promise<readonly ReceivedMessage[]> {
    let isEnded = false;
    let isHinted = false;
    let wake = (): void => undefined;
    const end = () => {
      isEnded = true;
      wake();
    };
    whenAbandoned(end);
    const look = () => ports.backbone.pull(subscription.registry.project, subscription.id, max);
    if (waitSeconds === 0 || isClosed) return look();
    if (waits.size >= waitingMax) {
      throw new ApiError("RESOURCE_EXHAUSTED", `${waitingMax} pulls wait already; ask again later.`);
    }

    waits.add(end);
    // Listening starts before the first look, so that a message between the two is not missed.
    const stopListening = ports.backbone.onDurable(subscription.registry, () => {
      isHinted = true;
      wake();
    });
    const stopTimer = ports.timers.after(waitSeconds * 1000, end);
    try {
      for (;;) {
        isHinted = false;
        const received = await look();
        if (received.length > 0 || isEnded) return received;
        await new Promise<void>((resolve) => {
          const stopLook = ports.timers.after(lookAgainMillis, resolve);
          wake = () => {
            stopLook();
            resolve();
          };
          if (isHinted || isEnded) wake();
        });
        if (isEnded) return [];
      }
    } finally {
      waits.delete(end);
      stopTimer();
      stopListening();
    }
  }

  return {
    pull(subscription, max, waitSeconds) {
      let end = (): void => undefined;
      const messages = waitForMessages(subscription, max, waitSeconds, (ender) => {
        end = ender;
      });
      return { messages, abandon: () => end() };
    },
    waiting: () => waits.size,
    close() {
      isClosed = true;
      for (const end of waits) end();
    },
  };
}
