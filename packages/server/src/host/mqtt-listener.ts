/**
 * The MQTT listener: TLS sockets in, `ByteLink`s to the bridge out.
 *
 * The bridge is a pure machine; here its writes become socket writes and its pauses TCP backpressure. A peer
 * that reads slower than we are willing to remember is cut, and a peer that will not finish closing is cut too.
 * Handshakes begin at the pace of the `accept-gate.ts`. Whatever port a device comes by, one TLS server serves it: so
 * all ports share certificate, ticket keys, pace and the limit of connections.
 */
import { createServer as createPlainServer, type Server as PlainServer, type Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import type { ByteLink, ByteLinkEvents } from "@mayfly/core";
import type { AcceptGate } from "./accept-gate.ts";
import type { ServerIdentity } from "./server-identity.ts";
import { socketOptions, tlsOptions } from "./tls-options.ts";
import type { TlsSessionStore } from "./tls-session-store.ts";

/** Outgoing bytes that may wait for one slow reader: twice of what the bridge sends configs and commands up to. */
export const outgoingBytesMax = 2 * 1024 * 1024;
/** How long a closed connection may take to be gone. */
export const closeWaitMillis = 2_000;

/** The part of the bridge a listener needs. */
export interface LinkTaker {
  open(
    link: ByteLink,
    facts: { readonly remoteAddress: string; readonly tlsVersion?: string; readonly tlsResumed?: boolean },
  ): ByteLinkEvents;
}

export function createMqttListener(options: {
  readonly identity: ServerIdentity;
  readonly bridge: LinkTaker;
  readonly sessions: TlsSessionStore;
  readonly gate: AcceptGate;
  readonly connectionsMax: number;
  /** A handshake or socket failed before the bridge knew of it. */
  readonly onClientError: (code: string) => void;
}): Server {
  const server = createServer({ ...tlsOptions(options.identity), pauseOnConnect: false });
  options.sessions.attach(server);
  paceHandshakes(server, options);
  server.on("secureConnection", (socket) => attachLink(socket, options.bridge));
  server.on("tlsClientError", (error: NodeJS.ErrnoException) =>
    options.onClientError(error.code ?? "unknown"),
  );
  return server;
}

/** A further port of the listener: its sockets are handed over as they come. @returns a server that is not listening yet. */
export function createFurtherPort(listener: Server): PlainServer {
  return createPlainServer(socketOptions, (socket) => listener.emit("connection", socket));
}

/**
 * TLS's own listener begins a connection's handshake as soon as it is called: it is called when the turn comes. The
 * limit is counted here, since a server's own `maxConnections` would not see the sockets of a further port.
 */
function paceHandshakes(
  server: Server,
  options: {
    readonly gate: AcceptGate;
    readonly connectionsMax: number;
    readonly onClientError: (code: string) => void;
  },
): void {
  const { gate, connectionsMax, onClientError } = options;
  const begin = server.listeners("connection");
  let open = 0;
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) => {
    const ignore = () => undefined;
    const refuse = (code: string) => {
      onClientError(code);
      socket.destroy();
    };
    socket.on("error", ignore);
    if (open >= connectionsMax) {
      refuse("too_many_connections");
      return;
    }
    open += 1;
    socket.once("close", () => {
      open -= 1;
    });
    let leave: (() => void) | undefined;
    const gone = () => leave?.();
    socket.on("close", gone);
    leave = gate.enter(() => {
      socket.off("error", ignore);
      socket.off("close", gone);
      for (const listener of begin) listener.call(server, socket);
    });
    if (leave === undefined) refuse("too_many_waiting");
  });
}

function attachLink(socket: TLSSocket, bridge: LinkTaker): void {
  let because = "";
  let closing = false;
  let closeTimer: NodeJS.Timeout | undefined;

  const link: ByteLink = {
    write(bytes) {
      if (closing || socket.destroyed) return;
      socket.write(bytes);
      if (socket.writableLength > outgoingBytesMax) {
        because = "slow_reader";
        socket.destroy();
      }
    },
    close() {
      if (closing || socket.destroyed) return;
      closing = true;
      socket.end();
      closeTimer = setTimeout(() => socket.destroy(), closeWaitMillis);
    },
    get bufferedBytes() {
      return socket.writableLength;
    },
    pause: () => {
      socket.pause();
    },
    resume: () => {
      socket.resume();
    },
  };

  const protocol = socket.getProtocol();
  const events = bridge.open(link, {
    remoteAddress: plainAddress(socket.remoteAddress ?? ""),
    ...(protocol === null ? {} : { tlsVersion: protocol }),
    tlsResumed: socket.isSessionReused(),
  });

  socket.on("data", (bytes: Buffer) => {
    if (!closing) events.received(bytes);
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    because ||= error.code ?? "socket_error";
  });
  // `end` from the peer ends our side as well (allowHalfOpen is off), so `close` is the one end there is.
  socket.on("close", () => {
    clearTimeout(closeTimer);
    events.closed(because);
  });
}

/** An IPv4 peer of a dual-stack listener, as people write it. */
function plainAddress(address: string): string {
  return address.startsWith("::ffff:") ? address.slice(7) : address;
}
