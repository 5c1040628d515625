/**
 * One question, one answer, over a socket that lives no longer: opens a link, sends once, waits, closes.
 *
 * A link of its own for each question means, on a host that gives each link a socket, another source port each time,
 * which somebody off the path has to guess; and never more than one socket, which is what a microcontroller can spare.
 * The instants of sending and receipt are taken here, right beside the socket, on the monotonic clock. What arrives and
 * answers something else changes nothing: the wait goes on, and it is the wait that is bounded.
 *
 * Left to others: what the question is and which answer is believed (`sntp/`, `signed/`), and asking again.
 */
import type { Clock, Timers } from "@mayfly/core";
import { OneTimer } from "../one-timer.ts";
import { AgentOptionError } from "../options.ts";
import type { DatagramLink, OpenDatagram } from "../ports.ts";

/** How long a name may take to be resolved. */
export const openMillisMax = 3_000;

export interface DatagramPeer {
  /** A name or an address. */
  readonly host: string;
  /** 1 to 65,535. */
  readonly port: number;
}

export interface ExchangePorts {
  readonly clock: Pick<Clock, "monotonicMillis">;
  readonly timers: Timers;
  readonly openDatagram: OpenDatagram;
}

export interface ExchangeEvents {
  /** The link is open. @returns what is sent at once. */
  request(): Uint8Array;
  /** @returns whether this was the answer; the link is then closed and nothing more is told. */
  received(bytes: Uint8Array, sentMillis: number, receivedMillis: number): boolean;
  /** No answer: none within the wait, or no link to ask over. Once, and the last that is told. */
  ended(because: "silence" | "unreachable"): void;
}

/** @throws {AgentOptionError} No host, or a port out of range. */
export function checkPeer({ host, port }: DatagramPeer): void {
  if (host === "" || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new AgentOptionError("a time server has a host, and a port of 1 to 65535");
  }
}

/**
 * @param answerMillisMax How long an answer is waited for once the question is sent.
 * @returns Gives it up, idempotent; nothing is told afterwards.
 */
export function exchangeDatagram(
  ports: ExchangePorts,
  peer: DatagramPeer,
  answerMillisMax: number,
  events: ExchangeEvents,
): () => void {
  const timer = new OneTimer(ports.timers);
  let link: DatagramLink | undefined;
  let sentMillis: number | undefined;

  function close(): void {
    timer.clear();
    link?.close();
    link = undefined;
  }

  function end(because: "silence" | "unreachable"): void {
    if (link === undefined) return;
    close();
    events.ended(because);
  }

  link = ports.openDatagram(peer, {
    opened() {
      if (link === undefined || sentMillis !== undefined) return;
      const request = events.request();
      timer.set(answerMillisMax, () => end("silence"));
      sentMillis = ports.clock.monotonicMillis();
      link.send(request);
    },
    received(bytes) {
      const receivedMillis = ports.clock.monotonicMillis();
      if (link === undefined || sentMillis === undefined) return;
      if (events.received(bytes, sentMillis, receivedMillis)) close();
    },
    failed: () => end("unreachable"),
  });
  timer.set(openMillisMax, () => end("unreachable"));
  return close;
}
