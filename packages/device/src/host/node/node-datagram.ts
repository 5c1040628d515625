/**
 * UDP on Node: one connected socket for each peer, so that the kernel drops what comes from anybody else.
 *
 * Names are resolved by the operating system, which knows `/etc/hosts` and mDNS, in libuv's pool of four threads;
 * the same threads sign tokens. A resolver that answers nobody must not take all of them, so at most two names are
 * under way, and one more fails at once.
 */
import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns";
import { isIP } from "node:net";
import type { DatagramEvents, DatagramLink, OpenDatagram } from "../../ports.ts";

/** Names being resolved at once, abandoned ones included. */
export const lookupsMax = 2;
/** What every IPv6 path carries without fragments. */
export const datagramBytesMax = 1_200;

export function createOpenDatagram(): OpenDatagram {
  let lookups = 0;
  return ({ host, port }, events) => {
    const link = new NodeDatagramLink(events);
    const family = isIP(host);
    if (family !== 0) {
      link.connect(host, family, port);
    } else if (lookups >= lookupsMax) {
      setImmediate(() => link.fail("EAGAIN"));
    } else {
      lookups += 1;
      lookup(host, (error, address, addressFamily) => {
        lookups -= 1;
        if (error === null) link.connect(address, addressFamily, port);
        else link.fail(error.code ?? error.name);
      });
    }
    return link;
  };
}

class NodeDatagramLink implements DatagramLink {
  readonly #events: DatagramEvents;
  #socket: Socket | undefined;
  #isOpen = false;
  #isClosed = false;

  constructor(events: DatagramEvents) {
    this.#events = events;
  }

  /** @param family 4 or 6. */
  connect(address: string, family: number, port: number): void {
    if (this.#isClosed) return;
    const socket = createSocket(family === 6 ? "udp6" : "udp4");
    this.#socket = socket;
    // A port nobody listens at answers with ICMP, and the system tells it as an error of the socket.
    socket.on("error", (error: NodeJS.ErrnoException) => this.fail(error.code ?? error.name));
    socket.on("message", (bytes) => {
      if (!this.#isClosed) this.#events.received(bytes);
    });
    socket.on("connect", () => {
      if (this.#isClosed) return;
      this.#isOpen = true;
      this.#events.opened();
    });
    socket.connect(port, address);
  }

  send(bytes: Uint8Array): void {
    if (!this.#isOpen || this.#isClosed || bytes.length > datagramBytesMax) return;
    // What the kernel did not take comes as an error of the socket or is lost, as any datagram may be.
    this.#socket?.send(bytes, (error) => {
      if (error !== null) this.fail((error as NodeJS.ErrnoException).code ?? error.name);
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket?.close();
  }

  fail(because: string): void {
    if (this.#isClosed) return;
    this.close();
    this.#events.failed(because);
  }
}
