/**
 * Fault proxy: what a network can do to TCP connections, done to those that go through it, on loopback.
 *
 * It cuts them with a reset or an orderly end, stands still with no word to either side (half-open), slows them, and
 * refuses new ones; and it counts connections and the TLS handshakes begun on them. Bytes are never changed.
 *
 * Left to others: one direction of a connection (`faulty-pipe.ts`), datagrams (`datagram-proxy.ts`).
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { FaultyPipe } from "./faulty-pipe.ts";

/** Connections at once; further ones are reset. */
export const proxyConnectionsMax = 256;

export interface ProxyTarget {
  readonly host: string;
  readonly port: number;
}

interface Connection {
  readonly client: Socket;
  /** Not there while a connection that came to a frozen proxy waits. */
  server: Socket | undefined;
  pipes: readonly FaultyPipe[];
}

export class FaultProxy {
  /** Where the next connections go; may be changed. */
  target: ProxyTarget;
  /** Accepted since the start. */
  connections = 0;
  /** Connections that began with a TLS ClientHello, resumed sessions among them. */
  tlsHandshakes = 0;
  readonly #live = new Set<Connection>();
  #server: Server;
  #port = 0;
  #isFrozen = false;
  #delayMillis = 0;

  private constructor(target: ProxyTarget) {
    this.target = target;
    this.#server = this.#createServer();
  }

  /** @returns A proxy that listens on a free port of 127.0.0.1. */
  static async start(target: ProxyTarget): Promise<FaultProxy> {
    const proxy = new FaultProxy(target);
    await proxy.#listen();
    return proxy;
  }

  get port(): number {
    return this.#port;
  }

  /** Connections that are open now. */
  get live(): number {
    return this.#live.size;
  }

  /** Ends every connection, on both sides, frozen ones too. "reset": RST. "end": FIN, after what was forwarded. */
  cut(how: "reset" | "end"): void {
    for (const { client, server, pipes } of [...this.#live]) {
      for (const pipe of pipes) pipe.discard();
      for (const socket of [client, server]) {
        if (how === "reset") socket?.resetAndDestroy();
        else if (socket !== undefined) endGently(socket);
      }
    }
  }

  /** Half-open: connections stay and new ones are accepted, and nothing gets through, not even their end. */
  freeze(): void {
    this.#isFrozen = true;
    for (const { pipes } of this.#live) for (const pipe of pipes) pipe.freeze();
  }

  /** What waited goes on its way. */
  thaw(): void {
    this.#isFrozen = false;
    for (const connection of this.#live) {
      if (connection.server === undefined) this.#reach(connection);
      for (const pipe of connection.pipes) pipe.thaw();
    }
  }

  /** Each way takes so much longer from now on, in order; 0 is as fast as can be. */
  delay(millis: number): void {
    this.#delayMillis = millis;
    for (const { pipes } of this.#live) for (const pipe of pipes) pipe.delayMillis = millis;
  }

  /** New connections are refused by the system (ECONNREFUSED); those that are open stay. */
  refuse(): void {
    this.#server.close();
  }

  /** Accepts again, on the same port. */
  async accept(): Promise<void> {
    if (this.#server.listening) return;
    this.#server = this.#createServer();
    await this.#listen();
  }

  /** Resets all and stops. */
  close(): void {
    this.#server.close();
    this.cut("reset");
  }

  async #listen(): Promise<void> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  #createServer(): Server {
    return createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (client) => {
      this.connections += 1;
      client.on("error", () => undefined);
      if (this.#live.size >= proxyConnectionsMax) {
        client.resetAndDestroy();
        return;
      }
      const connection: Connection = { client, server: undefined, pipes: [] };
      this.#live.add(connection);
      client.on("close", () => this.#forget(connection));
      if (!this.#isFrozen) this.#reach(connection);
    });
  }

  #reach(connection: Connection): void {
    const { client } = connection;
    const server = connect({ ...this.target, allowHalfOpen: true, noDelay: true });
    connection.server = server;
    server.on("error", () => undefined);
    server.on("close", () => this.#forget(connection));
    // Nobody there: to the client that is a reset. What happens later is the pipes' to tell.
    const refused = (): void => {
      client.resetAndDestroy();
    };
    server.once("error", refused);
    server.once("connect", () => server.off("error", refused));
    this.#watchForClientHello(client);
    connection.pipes = [new FaultyPipe(client, server), new FaultyPipe(server, client)];
    for (const pipe of connection.pipes) {
      pipe.delayMillis = this.#delayMillis;
      if (this.#isFrozen) pipe.freeze();
    }
  }

  /** A connection is over when both its sides are. */
  #forget(connection: Connection): void {
    const { client, server } = connection;
    if (client.destroyed && (server === undefined || server.destroyed)) this.#live.delete(connection);
  }

  /** RFC 8446 §5.1 and §4: a handshake record (22) of version 3.x whose first message is a ClientHello (1). */
  #watchForClientHello(client: Socket): void {
    let head: readonly number[] = [];
    const look = (bytes: Uint8Array): void => {
      head = [...head, ...bytes.subarray(0, 6)].slice(0, 6);
      if (head.length < 6) return;
      client.off("data", look);
      if (head[0] === 22 && head[1] === 3 && head[5] === 1) this.tlsHandshakes += 1;
    };
    client.on("data", look);
  }
}

/** Closing a socket that holds unread bytes would send a reset, so it is read until the peer ends as well, or 1 s. */
function endGently(socket: Socket): void {
  socket.end();
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), 1_000);
  socket.once("close", () => clearTimeout(timer));
}
