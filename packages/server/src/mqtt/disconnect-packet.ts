/**
 * The DISCONNECT that tells a 5.0 client why its session ends; 3.1.1 has none from the server.
 *
 * Left to others: what each reason says on the wire (`close-reason.ts`).
 */
import type { NumericDate } from "@mayfly/core";
import type { Properties, ProtocolVersion } from "@mayfly/core/mqtt";
import { encodeDisconnect } from "@mayfly/core/mqtt-server";
import { type CloseReason, reasonOnWire } from "./close-reason.ts";
import { serverTimeProperty } from "./token-properties.ts";

/** Ends of a session that a wrong clock may have caused: the peer is told ours. */
const endsOfTime: ReadonlySet<CloseReason> = new Set(["token_expired", "reauthentication_refused"]);

/** @returns undefined where the client is told nothing. What is above its Maximum Packet Size is left out. */
export function encodeEnd(
  client: { readonly version: ProtocolVersion; readonly clientPacketBytesMax: number },
  because: CloseReason,
  facts: {
    readonly serverSeconds: NumericDate;
    /** Replaces the reason's own. */
    readonly reasonString: string | undefined;
  },
): Uint8Array | undefined {
  const { mqtt5, reasonString } = reasonOnWire(because);
  if (client.version === 4 || mqtt5 === undefined) return undefined;
  const bare = { type: "disconnect", reasonCode: mqtt5 } as const;
  const told = facts.reasonString ?? reasonString;
  const properties: Properties = {
    ...(told === undefined ? undefined : { reasonString: told }),
    ...(endsOfTime.has(because) ? { userProperties: [serverTimeProperty(facts.serverSeconds)] } : undefined),
  };
  const whole = encodeDisconnect({ ...bare, properties }, 5);
  return whole.length <= client.clientPacketBytesMax ? whole : encodeDisconnect(bare, 5);
}
