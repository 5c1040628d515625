/**
 * A socket behind the gate: what Node's strict parser reads and writes in place of the device's own socket.
 *
 * Bytes go through a `RequestGate`; the next request stays outside, unread, until the answer before it was taken
 * by the network. So a client that pipelines, or reads slower than it writes, meets TCP backpressure and holds one
 * request and one answer, never a queue. One deadline per phase covers the client that never sends, drips its
 * head or body, idles, does not read its answer, or does not finish closing.
 *
 * Left to others: the grammar (`request-gate.ts`), TLS and its handshake's own deadline (`tls-options.ts`).
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { Duplex } from "node:stream";
import type { Timers } from "@mayfly/core";
import type { GateRefusal } from "./gate-refusal.ts";
import { type GateLimits, RequestGate } from "./request-gate.ts";

/** A connection's first request has to begin within this. */
export const FIRST_MILLIS_MAX = 10_000;
/** From a request's first byte to the end of its headers. */
export const HEAD_MILLIS_MAX = 10_000;
/** From the end of the headers to the end of the body. */
export const BODY_MILLIS_MAX = 30_000;
/** From the request's end until its answer is with the network. */
export const ANSWER_MILLIS_MAX = 60_000;
/** Silence between two requests. */
export const IDLE_MILLIS_MAX = 72_000;
/** A connection that is being closed reads on for this long, lest a reset overtake the answer. */
export const LINGER_MILLIS_MAX = 2_000;

/** What it needs of the socket: TCP or TLS. */
export type DeviceSocket = Duplex & {
  readonly remoteAddress?: string | undefined;
  getProtocol?(): string | null;
  isSessionReused?(): boolean;
};

export interface GatedSocketOptions {
  readonly limits: GateLimits;
  readonly timers: Timers;
  /** The whole answer to a request that does not pass, as bytes of HTTP. */
  readonly formatRefusal: (refusal: GateRefusal) => string;
}

type Phase = "first" | "idle" | "head" | "body" | "answer" | "linger";

const phaseMillis: Readonly<Record<Phase, number>> = {
  first: FIRST_MILLIS_MAX,
  idle: IDLE_MILLIS_MAX,
  head: HEAD_MILLIS_MAX,
  body: BODY_MILLIS_MAX,
  answer: ANSWER_MILLIS_MAX,
  linger: LINGER_MILLIS_MAX,
};

export class GatedSocket extends Duplex {
  readonly #socket: DeviceSocket;
  readonly #options: GatedSocketOptions;
  readonly #gate: RequestGate;
  /** What came behind the present request: at most one read of the socket, which is paused meanwhile. */
  #held: Uint8Array | undefined;
  #phase: Phase = "first";
  #cancelDeadline: () => void = () => undefined;
  #isAnswered = false;
  #isAnswerBegun = false;
  #hasPeerEnded = false;
  #isReaderFull = false;
  /** The parser is done with; the socket still takes the refusal away. */
  #isRefused = false;

  constructor(socket: DeviceSocket, options: GatedSocketOptions) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#options = options;
    this.#gate = new RequestGate(options.limits);
    socket.on("data", (bytes: Uint8Array) => this.#received(bytes));
    socket.on("end", () => {
      this.#hasPeerEnded = true;
      this.#endWithPeer();
    });
    // Who is gone reads no answer; whatever went wrong, the parser hears it as a connection that closed.
    socket.on("error", () => this.destroy());
    socket.on("close", () => {
      this.#cancelDeadline();
      this.destroy();
    });
    this.#enter("first");
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  get encrypted(): boolean {
    return this.#socket.getProtocol !== undefined;
  }

  getProtocol(): string | null {
    return this.#socket.getProtocol?.() ?? null;
  }

  isSessionReused(): boolean {
    return this.#socket.isSessionReused?.() ?? false;
  }

  /** The answer to the present request was handed to the network whole. */
  answered(): void {
    this.#isAnswered = true;
    this.#proceed();
  }

  /** Node's word for "no more requests": what is written goes out, then the connection ends. */
  destroySoon(): void {
    this.#linger();
    this.end();
  }

  override _read(): void {
    this.#isReaderFull = false;
    this.#flow();
  }

  override _write(bytes: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#isAnswerBegun = true;
    this.#socket.write(bytes, done);
  }

  override _writev(
    parts: readonly { readonly chunk: Uint8Array }[],
    done: (error?: Error | null) => void,
  ): void {
    this._write(Buffer.concat(parts.map(({ chunk }) => chunk)), "buffer", done);
  }

  override _final(done: () => void): void {
    this.#linger();
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#held = undefined;
    if (!this.#isRefused) this.#socket.destroy();
    done(error);
  }

  #received(bytes: Uint8Array): void {
    if (this.#phase === "linger" || this.destroyed) return;
    const { taken, passed, refused } = this.#gate.take(bytes);
    // One push: chunks may be many and small.
    if (passed.length > 0 && !this.push(Buffer.concat(passed))) this.#isReaderFull = true;
    if (refused !== undefined) {
      this.#refuse(refused);
      return;
    }
    this.#held = taken < bytes.length ? bytes.subarray(taken) : undefined;
    this.#followGate();
    this.#flow();
    this.#proceed();
  }

  #followGate(): void {
    const { phase } = this.#gate;
    if (phase !== "idle") this.#enterOnce(phase === "complete" ? "answer" : phase);
  }

  /** Request taken and answered: the next one, which may be here already. */
  #proceed(): void {
    if (this.#gate.phase !== "complete" || !this.#isAnswered) return;
    if (this.#phase === "linger" || this.destroyed) return;
    this.#gate.next();
    this.#isAnswered = false;
    this.#isAnswerBegun = false;
    this.#enter("idle");
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) this.#received(held);
    this.#flow();
    this.#endWithPeer();
  }

  /** A peer that half-closes still gets what it asked for; then it is over. */
  #endWithPeer(): void {
    if (!this.#hasPeerEnded || this.#held !== undefined || this.#gate.phase === "complete") return;
    this.push(null);
  }

  #flow(): void {
    const mayRead = this.#phase === "linger" || (this.#held === undefined && !this.#isReaderFull);
    if (mayRead) this.#socket.resume();
    else this.#socket.pause();
  }

  /** The parser is told nothing: to it the connection closes. Only what has no answer yet gets this one. */
  #refuse(refusal: GateRefusal): void {
    this.#linger();
    this.#isRefused = true;
    this.#socket.end(this.#isAnswerBegun ? undefined : this.#options.formatRefusal(refusal));
    this.destroy();
  }

  #linger(): void {
    if (this.#phase === "linger") return;
    this.#enter("linger");
    this.#held = undefined;
    this.#flow();
  }

  #enterOnce(phase: Phase): void {
    if (this.#phase !== phase && this.#phase !== "linger") this.#enter(phase);
  }

  #enter(phase: Phase): void {
    this.#cancelDeadline();
    this.#phase = phase;
    this.#cancelDeadline = this.#options.timers.after(phaseMillis[phase], () => this.#late());
  }

  #late(): void {
    if (this.#phase === "head" || this.#phase === "body") this.#refuse("too_slow");
    else if (this.#phase === "first" || this.#phase === "idle") this.destroySoon();
    else this.#socket.destroy();
  }
}

/**
 * Puts the gate before each connection of a server, TLS or not.
 *
 * Node documents that any Duplex may be given to an HTTP server as a connection; its own listener gets ours, so
 * that the server still counts, times and closes all of them.
 */
export function gateConnections(server: Server, options: GatedSocketOptions): void {
  const event = "setSecureContext" in server ? "secureConnection" : "connection";
  const begin = server.listeners(event);
  server.removeAllListeners(event);
  server.on(event, (socket: DeviceSocket) => {
    const gated = new GatedSocket(socket, options);
    for (const listener of begin) listener.call(server, gated);
  });
  server.prependListener("request", (request: IncomingMessage, response: ServerResponse) => {
    const { socket }: { readonly socket: Duplex } = request;
    response.once("close", () => {
      if (socket instanceof GatedSocket) socket.answered();
    });
  });
}
