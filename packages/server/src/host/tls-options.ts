/**
 * TLS as every listener of the bridge speaks it: 1.2 and 1.3, forward secrecy only, small for small devices.
 *
 * X25519 and P-256 are both offered: a P-256-only server would make other clients retry, and the hybrid
 * X25519MLKEM768 more than doubles the bytes of a handshake on a metered link. Ticket keys are our own and
 * turned daily, so that a ticket outlives neither its day nor, for want of a fixed context, a restart's arguments.
 */
import { randomBytes } from "node:crypto";
import type { Server, TlsOptions } from "node:tls";
import type { ServerIdentity } from "./server-identity.ts";

export const ticketKeysTurnMillis = 86_400_000;

/** Of the TCP connection below. */
export const socketOptions = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 } as const;

export function tlsOptions(identity: ServerIdentity): TlsOptions {
  const chains = identity.rsa === undefined ? [identity] : [identity, identity.rsa];
  return {
    // OpenSSL takes the one whose kind the client can check, and the smaller one where it can check both.
    cert: chains.map(({ cert }) => cert),
    key: chains.map(({ key }) => key),
    minVersion: "TLSv1.2",
    maxVersion: "TLSv1.3",
    ciphers: [
      "TLS_AES_128_GCM_SHA256",
      "TLS_AES_256_GCM_SHA384",
      "TLS_CHACHA20_POLY1305_SHA256",
      "ECDHE-ECDSA-AES128-GCM-SHA256",
      "ECDHE-ECDSA-AES256-GCM-SHA384",
      "ECDHE-ECDSA-CHACHA20-POLY1305",
      "ECDHE-RSA-AES128-GCM-SHA256",
      "ECDHE-RSA-AES256-GCM-SHA384",
      "ECDHE-RSA-CHACHA20-POLY1305",
    ].join(":"),
    ecdhCurve: "X25519:prime256v1",
    honorCipherOrder: true,
    handshakeTimeout: 10_000,
    sessionIdContext: "mayfly",
    sessionTimeout: 7_200,
    ticketKeys: randomBytes(48),
    ...socketOptions,
  };
}

/** Turns the ticket keys once a day. @returns stop. */
export function turnTicketKeys(servers: readonly Pick<Server, "setTicketKeys">[]): () => void {
  const timer = setInterval(() => {
    const keys = randomBytes(48);
    for (const server of servers) server.setTicketKeys(keys);
  }, ticketKeysTurnMillis);
  timer.unref();
  return () => clearInterval(timer);
}
