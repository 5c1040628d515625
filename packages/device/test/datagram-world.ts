/**
 * Servers over UDP in virtual time: one for each host, with a way there and back that takes a while.
 */
import { createWorld, type World, type WorldOptions } from "@mayfly/sim";
import type { SntpPorts } from "../src/time/sntp/sntp-client.ts";

/** @param reply Sends a datagram to the client; `afterMillis` later, default at once. */
export type Serve = (request: Uint8Array, reply: (bytes: Uint8Array, afterMillis?: number) => void) => void;

export const oneWayMillis = 10;

export class DatagramWorld {
  readonly world: World;
  readonly ports: SntpPorts;
  /** Every datagram that was sent, in order. */
  readonly sent: { readonly host: string; readonly atMillis: number; readonly bytes: Uint8Array }[] = [];
  socketsOpen = 0;
  socketsOpenMax = 0;
  readonly #serves = new Map<string, Serve>();

  constructor(seed: string, options: Omit<WorldOptions, "seed"> = {}) {
    this.world = createWorld({ seed, ...options });
    this.ports = {
      clock: this.world.clock,
      timers: this.world.timers,
      random: this.world.random("nonces"),
      openDatagram: (peer, events) => {
        const { timers, clock } = this.world;
        let isClosed = false;
        const later = (millis: number, run: () => void) => {
          timers.after(millis, () => {
            if (!isClosed) run();
          });
        };
        this.socketsOpen += 1;
        this.socketsOpenMax = Math.max(this.socketsOpenMax, this.socketsOpen);
        const serve = this.#serves.get(peer.host);
        later(0, () => (serve === undefined ? events.failed("ENOTFOUND") : events.opened()));
        return {
          send: (bytes) => {
            this.sent.push({ host: peer.host, atMillis: clock.monotonicMillis(), bytes });
            later(oneWayMillis, () =>
              serve?.(bytes, (answer, afterMillis = 0) => {
                later(afterMillis + oneWayMillis, () => events.received(answer));
              }),
            );
          },
          close: () => {
            if (!isClosed) this.socketsOpen -= 1;
            isClosed = true;
          },
        };
      },
    };
  }

  /** From now on `host` is known, and serves so. */
  serve(host: string, serve: Serve): void {
    this.#serves.set(host, serve);
  }

  now(): number {
    return this.world.clock.wallSeconds();
  }

  sentTo(host: string): readonly number[] {
    return this.sent.filter((datagram) => datagram.host === host).map(({ atMillis }) => atMillis);
  }
}
