/**
 * Whether a request comes from this machine itself.
 *
 * The socket says so, never a header. A request a proxy forwarded is not local even when the proxy is: the
 * headers proxies add can only take the privilege away.
 */
import type { FastifyRequest } from "fastify";

const proxyHeaders = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

export function isLoopbackRequest(request: Pick<FastifyRequest, "socket" | "headers">): boolean {
  return (
    isLoopbackAddress(request.socket.remoteAddress ?? "") &&
    !proxyHeaders.some((name) => request.headers[name] !== undefined)
  );
}

/** 127.0.0.0/8, `::1`, and the first mapped into IPv6. */
export function isLoopbackAddress(address: string): boolean {
  const plain = address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
  return plain === "::1" || /^127(\.\d{1,3}){3}$/.test(plain);
}
