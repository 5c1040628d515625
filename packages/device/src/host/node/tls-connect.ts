/**
 * Links to the bridge over TLS: 1.2 or later, the bridge's certificate checked against the given roots,
 * sessions resumed.
 *
 * A reconnect with a resumed session spares the bridge a signature and us a round trip's worth of bytes.
 */
import { isIP } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import type { ByteLink } from "@mayfly/core";
import type { Connect, LinkEvents } from "../../ports.ts";

/** What may wait in the socket before the link is given up: the outbox is the place for waiting. */
export const outgoingBytesMax = 4 * 1024 * 1024;
/** How long a closed link may take to be gone. */
export const closeWaitMillis = 2_000;

export interface TlsTarget {
  readonly host: string;
  /** 1 to 65,535. */
  readonly port: number;
  /** Roots to believe, PEM, one or more certificates. */
  readonly caPem: string;
  /** Name the certificate must have; default `host`. An IP address is checked but not sent as SNI. */
  readonly servername?: string;
}

export function createTlsConnect(target: TlsTarget): Connect {
  let session: Buffer | undefined;
  return (events) =>
    openLink(target, events, session, (newest) => {
      session = newest;
    });
}

function openLink(
  target: TlsTarget,
  events: LinkEvents,
  session: Buffer | undefined,
  keepSession: (session: Buffer | undefined) => void,
): ByteLink {
  const name = target.servername ?? target.host;
  const socket = connect({
    host: target.host,
    port: target.port,
    ca: target.caPem,
    minVersion: "TLSv1.2",
    ...(isIP(name) !== 0 ? undefined : { servername: name }),
    ...(session === undefined ? undefined : { session }),
  });
  socket.setNoDelay(true);
  let because = "";
  let isClosing = false;
  let closeTimer: NodeJS.Timeout | undefined;

  socket.on("secureConnect", () => {
    if (!isClosing) events.opened();
  });
  socket.on("session", keepSession);
  socket.on("data", (bytes) => {
    if (!isClosing && typeof bytes !== "string") events.received(bytes);
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    because = error.code ?? error.name;
    // Whatever was wrong, do not let a remembered session be wrong again.
    keepSession(undefined);
  });
  socket.on("close", () => {
    clearTimeout(closeTimer);
    events.closed(because);
  });

  return {
    write(bytes) {
      if (isClosing || socket.destroyed) return;
      socket.write(bytes);
      if (socket.writableLength > outgoingBytesMax) {
        because = "the bridge reads too slowly";
        socket.destroy();
      }
    },
    close() {
      if (isClosing || socket.destroyed) return;
      isClosing = true;
      closeTimer = endOrDestroy(socket);
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
}

function endOrDestroy(socket: TLSSocket): NodeJS.Timeout | undefined {
  // An attempt under way has nothing to say good-bye to.
  if (socket.connecting || socket.getProtocol() === null) {
    socket.destroy();
    return undefined;
  }
  socket.end();
  // Data nobody reads would keep the end from arriving.
  socket.resume();
  return setTimeout(() => socket.destroy(), closeWaitMillis);
}
