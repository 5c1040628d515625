/**
 * How long a connection may be silent.
 *
 * A client's Keep Alive counts one and a half times (MQTT 5.0 §3.1.2.10). One that names none, or one longer
 * than the registry's idle maximum, is held to that maximum: in 5.0 we say so (Server Keep Alive) and the
 * client will keep to it; in 3.1.1 there is no way to say it, and Cloud IoT Core closed such a connection
 * after 20 minutes.
 */
import type { ProtocolVersion } from "@mayfly/core/mqtt";

export interface KeepAlive {
  /** Silence from here on ends the connection. */
  readonly allowanceMillis: number;
  /** To be announced; MQTT 5.0 §3.2.2.3.14. */
  readonly serverKeepAlive?: number;
}

/** @param keepAliveSeconds of the CONNECT, 0 for none. */
export function keepAliveFor(
  version: ProtocolVersion,
  keepAliveSeconds: number,
  idleMaxSeconds: number,
): KeepAlive {
  if (keepAliveSeconds > 0 && keepAliveSeconds <= idleMaxSeconds) {
    return { allowanceMillis: keepAliveSeconds * 1_500 };
  }
  if (version === 4) return { allowanceMillis: idleMaxSeconds * 1_000 };
  const serverKeepAlive = Math.min(idleMaxSeconds, 0xffff);
  return { allowanceMillis: serverKeepAlive * 1_500, serverKeepAlive };
}
