/**
 * Planned renewal: a new connection by which our own agent brings its next token, so neither a takeover by
 * somebody nor a fight.
 *
 * That it is our agent is the client's word, so more is asked: the same key, and an older token that has lived
 * half its life. Whoever has the key and claims to be an agent can then renew at most twice in a token's life
 * without being counted.
 */
import type { Clock } from "@mayfly/core";
import type { DevicePrincipal } from "../auth/admission.ts";
import type { ConnectRequest } from "./connect-request.ts";

/** The connection that is there already. */
export interface PresentConnection {
  readonly isOwnAgent: boolean;
  readonly principal: DevicePrincipal | undefined;
}

export function isPlannedRenewal(
  present: PresentConnection,
  request: Pick<ConnectRequest, "ownAgent">,
  principal: DevicePrincipal,
  clock: Pick<Clock, "wallSeconds">,
): boolean {
  const before = present.principal;
  if (before === undefined || !present.isOwnAgent || !request.ownAgent) return false;
  if (before.keyFingerprint !== principal.keyFingerprint) return false;
  const half = (before.issuedAtSeconds + before.expiresAtSeconds) / 2;
  return clock.wallSeconds() >= half;
}
