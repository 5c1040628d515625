/**
 * Signed time over UDP: a datagram in, at most one of the same length out, to where it came from.
 *
 * What is not a request, or may not be answered, is met with silence: an answer to nonsense would be noise to whoever
 * really has that address. Nothing waits here but datagrams the kernel could not take at once, and these are bounded.
 */
import { createSocket, type Socket } from "node:dgram";
import { isIPv4 } from "node:net";
import type { TimeAnswerer } from "../time/time-answerer.ts";

/** Answers handed to the kernel and not sent yet; one more is dropped. */
export const answersWaitingMax = 128;

export interface TimeListener {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * @param at `port` 0: any free one; `address` absent: all, IPv4 and IPv6.
 * @param onError The socket failed after it was bound; it goes on where it can.
 * Rejects with the platform's error when the port is taken.
 */
export async function openTimeListener(
  answerer: TimeAnswerer,
  at: { readonly port: number; readonly address?: string },
  onError: (error: Error) => void,
): Promise<TimeListener> {
  const socket = await bindSocket(at);
  socket.on("error", onError);
  answerDatagrams(socket, answerer);
  return {
    port: socket.address().port,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

/** The part of a socket that answering needs. */
export interface DatagramSocket {
  on(
    event: "message",
    take: (bytes: Uint8Array, from: { readonly address: string; readonly port: number }) => void,
  ): unknown;
  /** @param done Called once, when the kernel has taken the datagram or will not. */
  send(bytes: Uint8Array, port: number, address: string, done: () => void): void;
}

/** Answers what comes in on a bound socket. */
export function answerDatagrams(socket: DatagramSocket, answerer: TimeAnswerer): void {
  let waiting = 0;
  socket.on("message", (request, { address, port }) => {
    if (waiting >= answersWaitingMax) return;
    const outcome = answerer.answer(request, address, "udp");
    if (outcome.kind === "refused") return;
    waiting += 1;
    socket.send(outcome.bytes, port, address, () => {
      // Sent or not: a device asks again.
      waiting -= 1;
    });
  });
}

async function bindSocket(at: { readonly port: number; readonly address?: string }): Promise<Socket> {
  if (at.address !== undefined) return bound(isIPv4(at.address) ? "udp4" : "udp6", at.port, at.address);
  try {
    return await bound("udp6", at.port, "::");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    // A machine without IPv6.
    if (code === "EAFNOSUPPORT" || code === "EADDRNOTAVAIL") return bound("udp4", at.port, "0.0.0.0");
    throw error;
  }
}

function bound(type: "udp4" | "udp6", port: number, address: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(type);
    socket.once("error", (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ port, address }, () => {
      socket.removeAllListeners("error");
      resolve(socket);
    });
  });
}
