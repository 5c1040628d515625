/**
 * The certificate's renewal: looked at once an hour, and swapped in while the server serves.
 */
import type { Server } from "node:tls";
import type { Logger } from "pino";
import { renewalDueMillis, type ServerIdentity } from "./server-identity.ts";
import { tlsOptions } from "./tls-options.ts";

/** Renews the certificate by itself and swaps it in; connections that live keep the one they began with. */
export function keepIdentityFresh(
  open: () => Promise<ServerIdentity>,
  first: ServerIdentity,
  servers: readonly Pick<Server, "setSecureContext">[],
  log: Logger,
): () => void {
  let current = first;
  let timer: NodeJS.Timeout;
  const retryMillis = 3_600_000;
  const plan = (millis: number) => {
    timer = setTimeout(check, millis);
    timer.unref();
  };
  const check = () => {
    open().then(
      (identity) => {
        if (identity.cert !== current.cert || identity.rsa?.cert !== current.rsa?.cert) {
          for (const server of servers) server.setSecureContext(tlsOptions(identity));
          log.info({ event: "certificate_renewed", notAfter: new Date(identity.notAfterMs).toISOString() });
        }
        current = identity;
        // The operator's own files may be renewed before their time: look once an hour.
        plan(Math.max(Math.min(renewalDueMillis(identity, Date.now()), retryMillis), 60_000));
      },
      (error: unknown) => {
        log.error({
          event: "certificate_renewal_failed",
          because: error instanceof Error ? error.message : String(error),
        });
        plan(retryMillis);
      },
    );
  };
  plan(Math.max(Math.min(renewalDueMillis(first, Date.now()), retryMillis), 60_000));
  return () => clearTimeout(timer);
}
