/**
 * What the bridge tells a client of its token, as User Properties of CONNACK and AUTH (MQTT 5.0 §3.2.2.3.10).
 *
 * | name | value |
 * |---|---|
 * | `server-time` | the bridge's clock: seconds since 1970 with three decimals; also in refusals |
 * | `retry-after` | in a refusal that is no verdict: whole seconds for which the client is asked to stay away |
 * | `exp` | of the accepted token, as in its claims |
 * | `renew-from`, `renew-until` | the window in which the bridge would like the next token, by its clock |
 */
import type { NumericDate } from "@mayfly/core";
import type { DevicePrincipal } from "../auth/admission.ts";
import { renewalWindowOf } from "../auth/renewal-window.ts";

type UserProperty = readonly [name: string, value: string];

export function serverTimeProperty(serverSeconds: NumericDate): UserProperty {
  return ["server-time", serverSeconds.toFixed(3)];
}

export function retryAfterProperty(seconds: number): UserProperty {
  return ["retry-after", String(seconds)];
}

/** For a token that was accepted. */
export function tokenProperties(
  principal: DevicePrincipal,
  serverSeconds: NumericDate,
): readonly UserProperty[] {
  const { fromSeconds, untilSeconds } = renewalWindowOf(principal);
  return [
    serverTimeProperty(serverSeconds),
    ["exp", String(principal.expiresAtSeconds)],
    ["renew-from", String(fromSeconds)],
    ["renew-until", String(untilSeconds)],
  ];
}
