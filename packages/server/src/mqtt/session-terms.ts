/**
 * What an accepted CONNECT gets: whether its Session goes on, for how long it is kept, how long it may be silent.
 *
 * What was asked and what the registry's policy allows meet here, once: CONNACK says it and the session keeps to it.
 */
import type { RegistryPolicy } from "@mayfly/core/token";
import type { ConnectRequest } from "./connect-request.ts";
import { keepAliveFor } from "./keep-alive.ts";
import { sessionExpirySecondsMax } from "./limits.ts";

export interface SessionTerms {
  /** The Session there was goes on: Session Present. */
  readonly isResumed: boolean;
  /** How long the Session outlives the connection: 0, or where the registry keeps Sessions at most a day. */
  readonly sessionExpirySeconds: number;
  /** The Session is kept, or was before and goes on until this connection ends. */
  readonly isKept: boolean;
  /** Silence from here on ends the connection. */
  readonly keepAliveMillis: number;
  /** To be announced; undefined where the client's own Keep Alive stands. */
  readonly serverKeepAlive: number | undefined;
}

/** @param wasKept whether there is a Session of the device's that could go on. */
export function termsFor(
  request: Pick<ConnectRequest, "version" | "cleanStart" | "sessionExpirySeconds" | "keepAlive">,
  { keepSessions, idleMaxSeconds }: Pick<RegistryPolicy, "keepSessions" | "idleMaxSeconds">,
  wasKept: boolean,
): SessionTerms {
  const keepAlive = keepAliveFor(request.version, request.keepAlive, idleMaxSeconds);
  const isResumed = keepSessions && !request.cleanStart && wasKept;
  const sessionExpirySeconds = keepSessions
    ? Math.min(request.sessionExpirySeconds, sessionExpirySecondsMax)
    : 0;
  return {
    isResumed,
    sessionExpirySeconds,
    isKept: sessionExpirySeconds > 0 || isResumed,
    keepAliveMillis: keepAlive.allowanceMillis,
    serverKeepAlive: keepAlive.serverKeepAlive,
  };
}
