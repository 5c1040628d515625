/**
 * Where the server listens: from what was asked for to the port bound to, and to what clients are told.
 */
import type { Server as PlainServer } from "node:net";
import type { FastifyInstance } from "fastify";

/** @returns the port bound to. */
export function listen(server: PlainServer, port: number, address: string | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, ...(address === undefined ? {} : { host: address }), backlog: 4_096 }, () => {
      server.off("error", reject);
      const bound = server.address();
      resolve(typeof bound === "object" && bound !== null ? bound.port : port);
    });
  });
}

export async function listenApi(api: FastifyInstance, port: number, host: string): Promise<number> {
  await api.listen({ port, host });
  const bound = api.server.address();
  return typeof bound === "object" && bound !== null ? bound.port : port;
}

export function closeListener(server: PlainServer): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

/** `host:port` or `host`, IPv6 in brackets where a port follows. */
export function splitAddress(text: string, port: number): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text);
  if (match === null) return { host: text, port }; // a bare IPv6 address
  return {
    host: match[1] ?? (match[2] || "127.0.0.1"),
    port: match[3] === undefined ? port : Number(match[3]),
  };
}

/** What clients are told of an address bound to: `name` for all of this machine's. */
export function toldHost(bound: string | undefined, name: string): string {
  if (bound === undefined || bound === "0.0.0.0" || bound === "::") return bracketed(name);
  return bound === "127.0.0.1" ? "localhost" : bracketed(bound);
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
