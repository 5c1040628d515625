/**
 * Datagram proxy: what a network, or somebody on it, can do to UDP between clients and one server, on loopback.
 *
 * One function decides what becomes of each datagram: `[]` loses it, `[bytes]` lets it pass or changes it, `[bytes, bytes]`
 * doubles it. Anything may be sent to a client besides, from the address it knows as the server's.
 */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";

/** Clients known at once; the one known longest is forgotten for the next. */
export const datagramClientsMax = 256;
/** Datagrams on their way at once when there is a delay; further ones are lost. */
export const datagramsDelayedMax = 256;

export type DatagramWay = "to_server" | "to_client";
export type AlterDatagram = (datagram: Uint8Array, way: DatagramWay) => readonly Uint8Array[];

const pass: AlterDatagram = (datagram) => [datagram];

interface DatagramClient {
  readonly address: string;
  readonly port: number;
  /** The client's own face to the server. */
  readonly socket: Socket;
  isKnown: boolean;
}

export class DatagramProxy {
  /** What becomes of datagrams from now on. */
  alter: AlterDatagram = pass;
  /** Each way takes so much longer. */
  delayMillis = 0;
  /** What came in. */
  readonly received: Record<DatagramWay, number> = { to_server: 0, to_client: 0 };
  readonly #server: { readonly host: string; readonly port: number };
  readonly #front: Socket = createSocket("udp4");
  readonly #clients = new Map<string, DatagramClient>();
  readonly #delayed = new Set<NodeJS.Timeout>();
  #isClosed = false;

  private constructor(server: { readonly host: string; readonly port: number }) {
    this.#server = server;
  }

  /** @returns A proxy that listens on a free port of 127.0.0.1. */
  static async start(server: { readonly host: string; readonly port: number }): Promise<DatagramProxy> {
    const proxy = new DatagramProxy(server);
    proxy.#front.on("message", (datagram, from) => proxy.#fromClient(datagram, from));
    proxy.#front.on("error", () => undefined);
    proxy.#front.bind(0, "127.0.0.1");
    await once(proxy.#front, "listening");
    return proxy;
  }

  get port(): number {
    return this.#front.address().port;
  }

  /** Sends it to every client known, as if the server had. It passes neither `alter` nor the delay. */
  inject(datagram: Uint8Array): void {
    for (const { address, port } of this.#clients.values()) this.#front.send(datagram, port, address);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const timer of this.#delayed) clearTimeout(timer);
    for (const client of this.#clients.values()) forget(client);
    this.#clients.clear();
    this.#front.close();
  }

  #fromClient(datagram: Uint8Array, from: RemoteInfo): void {
    const client = this.#client(from);
    this.#pass(datagram, "to_server", (bytes) => {
      // One that was forgotten meanwhile has no socket any more.
      if (client.isKnown) client.socket.send(bytes, this.#server.port, this.#server.host);
    });
  }

  #client(from: RemoteInfo): DatagramClient {
    const name = `${from.address}:${from.port}`;
    const known = this.#clients.get(name);
    if (known !== undefined) return known;
    const [[oldestName, oldest] = []] = this.#clients;
    if (this.#clients.size >= datagramClientsMax && oldestName !== undefined) {
      this.#clients.delete(oldestName);
      if (oldest !== undefined) forget(oldest);
    }
    const { address, port } = from;
    const client: DatagramClient = { address, port, socket: createSocket("udp4"), isKnown: true };
    // A port of the server that nobody has comes back as an error: to UDP that is a loss.
    client.socket.on("error", () => undefined);
    client.socket.on("message", (datagram) =>
      this.#pass(datagram, "to_client", (bytes) => this.#front.send(bytes, client.port, client.address)),
    );
    this.#clients.set(name, client);
    return client;
  }

  #pass(datagram: Uint8Array, way: DatagramWay, send: (bytes: Uint8Array) => void): void {
    this.received[way] += 1;
    for (const bytes of this.alter(datagram, way)) {
      if (this.delayMillis === 0) {
        send(bytes);
        continue;
      }
      if (this.#delayed.size >= datagramsDelayedMax) return;
      const timer = setTimeout(() => {
        this.#delayed.delete(timer);
        if (!this.#isClosed) send(bytes);
      }, this.delayMillis);
      this.#delayed.add(timer);
    }
  }
}

function forget(client: DatagramClient): void {
  client.isKnown = false;
  client.socket.close();
}
