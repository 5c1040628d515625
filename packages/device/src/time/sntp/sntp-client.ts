/**
 * SNTP client: asks up to four servers what time it is, and says what a majority of them cannot all be wrong about.
 *
 * One round, one question to each, one socket at a time; decisions are the pure parts' (`round-plan.ts`,
 * `ntp-packet.ts`, `agreement.ts`), this file carries them out. SNTP is not authenticated: who sits on the path of
 * most servers can tell any time. So a round only says how many agreed.
 *
 * Left to others: when to ask, and how far an agreement, or a single server, is believed (`time-keeper.ts`).
 */
import type { NumericDate, Random } from "@mayfly/core";
import { AgentOptionError } from "../../options.ts";
import { checkPeer, type DatagramPeer, type ExchangePorts, exchangeDatagram } from "../datagram-exchange.ts";
import type { TimeSample } from "../time-sample.ts";
import { findAgreement } from "./agreement.ts";
import { encodeNtpRequest, judgeNtpAnswer } from "./ntp-packet.ts";
import { answerMillisMax, planRound } from "./round-plan.ts";
import { SntpServer, type SntpServerNews } from "./sntp-server.ts";

export const sntpServersMax = 4;
/** Fewer answers make no majority worth the name: two servers can only disagree. */
export const agreementServersMin = 3;

export interface SntpPorts extends ExchangePorts {
  readonly random: Random;
}

export interface SntpOptions {
  /** 1 to {@link sntpServersMax}, none twice; best of different operators. The usual port is 123. */
  readonly servers: readonly DatagramPeer[];
  /** A date no answer is earlier than, within 68 years: the build's, or a stored floor. Decides the era. */
  readonly floorSeconds: NumericDate;
}

/** Why a round has brought no time. */
export type SntpNone =
  /** All that could be asked were silent, unreachable or not to be believed. */
  | "no_answer"
  /** More than half of those that answered have no instant in common. */
  | "servers_disagree"
  /** All were asked so lately that asking again would be impolite. */
  | "not_due"
  /** All have told us to go away. */
  | "servers_stopped";

export type SntpRound =
  /** `of` servers answered, 3 or more, and `servers`, more than half, can be right together. */
  | {
      readonly kind: "agreed";
      readonly sample: TimeSample;
      readonly servers: number;
      readonly of: number;
    }
  /** One or two answered, and the two do not contradict each other. */
  | { readonly kind: "single"; readonly sample: TimeSample }
  | { readonly kind: "none"; readonly because: SntpNone };

export interface SntpServerStatus extends DatagramPeer {
  readonly news: SntpServerNews;
}

export class SntpClient {
  readonly #ports: SntpPorts;
  readonly #servers: readonly SntpServer[];
  readonly #floorSeconds: NumericDate;
  #settle: ((round: SntpRound) => void) | undefined;
  #beganMillis = 0;
  #hasAsked = false;
  /** Of the exchange, or the wait, under way. */
  #cancel: (() => void) | undefined;

  /** @throws {AgentOptionError} No server, more than four, one twice, or a port out of range. */
  constructor(ports: SntpPorts, options: SntpOptions) {
    checkServers(options.servers);
    this.#ports = ports;
    this.#floorSeconds = options.floorSeconds;
    this.#servers = options.servers.map((peer) => new SntpServer(peer));
  }

  /**
   * Asks each server once, or again where it is silent and may be asked again.
   *
   * @param settle Told once, never synchronously, within 24 s.
   * @throws {Error} A round is under way: a bug of the caller.
   */
  ask(settle: (round: SntpRound) => void): void {
    if (this.#settle !== undefined) throw new Error("one round at a time");
    this.#settle = settle;
    this.#beganMillis = this.#ports.clock.monotonicMillis();
    this.#hasAsked = false;
    for (const server of this.#servers) server.beginRound();
    this.#wait(0);
  }

  /** Gives up a round under way, whose `settle` is then not called. The next `ask` begins anew. */
  stop(): void {
    this.#settle = undefined;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  servers(): readonly SntpServerStatus[] {
    return this.#servers.map(({ peer, news }) => ({ host: peer.host, port: peer.port, news }));
  }

  #wait(millis: number): void {
    this.#cancel = this.#ports.timers.after(millis, () => this.#goOn());
  }

  #goOn(): void {
    this.#cancel = undefined;
    const step = planRound(this.#servers, this.#beganMillis, this.#ports.clock.monotonicMillis());
    const server = step.kind === "ask" ? this.#servers[step.server] : undefined;
    if (server !== undefined) this.#askServer(server);
    else if (step.kind === "wait") this.#wait(step.millis);
    else this.#end();
  }

  #askServer(server: SntpServer): void {
    let request: Uint8Array | undefined;
    this.#hasAsked = true;
    server.asked();
    this.#cancel = exchangeDatagram(this.#ports, server.peer, answerMillisMax, {
      request: () => {
        request = encodeNtpRequest(this.#ports.random);
        server.limit.sent(this.#ports.clock.monotonicMillis());
        return request;
      },
      received: (bytes, sentMillis, receivedMillis) => {
        if (request === undefined) return false;
        const isEnd = server.judged(
          judgeNtpAnswer(bytes, request, sentMillis, receivedMillis, this.#floorSeconds),
        );
        // Not from within the exchange, which has yet to close its socket: one at a time.
        if (isEnd) this.#wait(0);
        return isEnd;
      },
      ended: (because) => {
        if (because === "unreachable") server.unreachable();
        this.#goOn();
      },
    });
  }

  #end(): void {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(this.#conclude());
  }

  #conclude(): SntpRound {
    const nowMillis = this.#ports.clock.monotonicMillis();
    const samples: TimeSample[] = [];
    for (const server of this.#servers) {
      const sample = server.vote(nowMillis);
      if (sample !== undefined) samples.push(sample);
    }
    if (samples.length === 0) return { kind: "none", because: this.#whyNone() };
    const agreement = findAgreement(samples);
    if (agreement === undefined) return { kind: "none", because: "servers_disagree" };
    const { sample, servers } = agreement;
    if (samples.length < agreementServersMin) return { kind: "single", sample };
    return { kind: "agreed", sample, servers, of: samples.length };
  }

  #whyNone(): SntpNone {
    if (this.#servers.every(({ limit }) => limit.isStopped)) return "servers_stopped";
    return this.#hasAsked ? "no_answer" : "not_due";
  }
}

function checkServers(servers: readonly DatagramPeer[]): void {
  if (servers.length < 1 || servers.length > sntpServersMax) {
    throw new AgentOptionError(`1 to ${sntpServersMax} SNTP servers are asked, not ${servers.length}`);
  }
  for (const [index, peer] of servers.entries()) {
    checkPeer(peer);
    const { host, port } = peer;
    // The same server twice would be a majority by itself.
    if (servers.findIndex((other) => other.host === host && other.port === port) !== index) {
      throw new AgentOptionError(`the SNTP server ${host} is there twice`);
    }
  }
}
