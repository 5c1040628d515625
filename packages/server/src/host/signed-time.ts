/**
 * Signed time as one part of the server: key, answerer, UDP listener and the lines an operator reads about them.
 */
import type { Timers } from "@mayfly/core";
import type { Logger } from "pino";
import {
  createTimeAnswerer,
  type OwnClock,
  type TimeAnswerer,
  type TimeAnswererPorts,
} from "../time/time-answerer.ts";
import { openTimeKeyKeeper, type TimeKeyEvent } from "./time-key-keeper.ts";
import { openTimeListener } from "./time-listener.ts";

export interface SignedTime {
  readonly answerer: TimeAnswerer;
  delegationLeftSeconds(): number;
  /** Opens the UDP listener. @returns Its port. */
  listen(at: { readonly port: number; readonly address?: string }): Promise<number>;
  close(): Promise<void>;
}

/** Signed time is there whether it has a key or not: a key may come while the server runs. */
export async function openSignedTime(
  ports: Omit<TimeAnswererPorts, "findKey"> & {
    readonly keyFile: string;
    readonly ownClock: OwnClock;
    readonly timers: Timers;
    readonly log: Logger;
  },
): Promise<SignedTime> {
  const { log, ...rest } = ports;
  const key = await openTimeKeyKeeper(ports.keyFile, { ...rest, tell: (event) => logEvent(log, event) });
  const answerer = createTimeAnswerer({ ...rest, findKey: key.find });
  let closeListener = async (): Promise<void> => {};
  return {
    answerer,
    delegationLeftSeconds: key.delegationLeftSeconds,
    async listen(at) {
      const listener = await openTimeListener(answerer, at, (error) =>
        log.error({ event: "time_listener_failed", because: error.message }),
      );
      closeListener = listener.close;
      return listener.port;
    },
    async close() {
      key.close();
      await closeListener();
    },
  };
}

function logEvent(log: Logger, event: TimeKeyEvent): void {
  if (event.kind === "signed_time_on") {
    log.info({ event: event.kind, until: new Date(event.untilMillis).toISOString() });
  } else if (event.kind === "time_key_unusable") {
    log.error({ event: event.kind, because: event.because });
  } else {
    // A bridge that nobody gave a key was not asked to tell the time.
    const level = event.because === "delegation_missing" ? "info" : "warn";
    log[level]({ event: event.kind, because: event.because });
  }
}
