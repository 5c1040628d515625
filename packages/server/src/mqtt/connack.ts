/**
 * The bytes that answer a CONNECT, in the client's version.
 *
 * Towards a peer that has not proved a key every refusal is the same (Reason Code and text), with the
 * server's time beside it; only the two refusals a wrong clock causes are named.
 */
import type { NumericDate } from "@mayfly/core";
import {
  type MqttError,
  type Properties,
  type ProtocolVersion,
  reasonCode,
  returnCode,
} from "@mayfly/core/mqtt";
import { encodeConnack } from "@mayfly/core/mqtt-server";
import { refusalOnWire, type TokenError } from "@mayfly/core/token";
import type { DevicePrincipal } from "../auth/admission.ts";
import type { ConnectRequest } from "./connect-request.ts";
import { packetBytesMax, receiveMaximum, retryAfterSeconds, topicAliasMaximum } from "./limits.ts";
import type { SessionTerms } from "./session-terms.ts";
import { retryAfterProperty, serverTimeProperty, tokenProperties } from "./token-properties.ts";

/** What CONNACK says of a refusal that is no verdict on a token. */
export interface RefusalCodes {
  readonly mqtt5: number;
  readonly mqtt311: number;
}

/** The CONNECT is valid, and not accepted by this server all the same; a 3.1.1 client has no limit that could cause it. */
export const implementationSpecificCodes: RefusalCodes = {
  mqtt5: reasonCode.implementationSpecificError,
  mqtt311: returnCode.serverUnavailable,
};

/** What CONNACK tells of a CONNECT that was accepted. */
export interface Acceptance {
  readonly request: Pick<ConnectRequest, "version" | "method" | "packetBytesMax" | "sessionExpirySeconds">;
  readonly principal: DevicePrincipal;
  readonly terms: Pick<SessionTerms, "isResumed" | "sessionExpirySeconds" | "serverKeepAlive">;
  readonly serverSeconds: NumericDate;
}

/** @returns undefined where even the shortest answer is above the client's Maximum Packet Size. */
export function encodeAccepted(acceptance: Acceptance): Uint8Array | undefined {
  const { request, principal, terms } = acceptance;
  const { isResumed: sessionPresent, sessionExpirySeconds, serverKeepAlive } = terms;
  if (request.version === 4) return encodeConnack({ type: "connack", sessionPresent, reasonCode: 0 }, 4);
  const properties: Properties = {
    // Told where it differs from what was asked (5.0 §3.2.2.3.2).
    ...(sessionExpirySeconds === request.sessionExpirySeconds
      ? undefined
      : { sessionExpiryInterval: sessionExpirySeconds }),
    receiveMaximum,
    maximumQoS: 1,
    retainAvailable: 0,
    maximumPacketSize: packetBytesMax,
    topicAliasMaximum,
    wildcardSubscriptionAvailable: 1,
    subscriptionIdentifiersAvailable: 0,
    sharedSubscriptionAvailable: 0,
    ...(serverKeepAlive === undefined ? undefined : { serverKeepAlive }),
    // [MQTT-4.12.0-5]: the method comes back.
    ...(request.method === undefined ? undefined : { authenticationMethod: request.method }),
  };
  const userProperties = tokenProperties(principal, acceptance.serverSeconds);
  const packet = { type: "connack", sessionPresent, reasonCode: 0 } as const;
  const told = encodeConnack({ ...packet, properties: { ...properties, userProperties } }, 5);
  if (told.length <= request.packetBytesMax) return told;
  const bare = encodeConnack({ ...packet, properties }, 5);
  return bare.length <= request.packetBytesMax ? bare : undefined;
}

export function encodeRefused(version: ProtocolVersion, codes: RefusalCodes): Uint8Array {
  const reasonCode = version === 5 ? codes.mqtt5 : codes.mqtt311;
  return encodeConnack({ type: "connack", sessionPresent: false, reasonCode }, version);
}

/** No verdict on the peer, who may come again: and when, to a client that can be told. */
export function encodeComeBack(version: ProtocolVersion, codes: RefusalCodes, bytesMax: number): Uint8Array {
  const bare = encodeRefused(version, codes);
  if (version === 4) return bare;
  const properties: Properties = { userProperties: [retryAfterProperty(retryAfterSeconds)] };
  const told = encodeConnack(
    { type: "connack", sessionPresent: false, reasonCode: codes.mqtt5, properties },
    version,
  );
  return told.length <= bytesMax ? told : bare;
}

/**
 * @param because undefined: the token was good, yet the registry has this bridge switched off.
 * @param bytesMax the client's Maximum Packet Size; what does not fit is left out (5.0 §3.2.2.3.10).
 */
export function encodeTokenRefused(
  version: ProtocolVersion,
  because: TokenError | undefined,
  serverSeconds: NumericDate,
  bytesMax: number,
): Uint8Array {
  const wire = refusalOnWire[because?.code ?? "device_blocked"];
  const bare = encodeRefused(version, wire);
  if (version === 4) return bare;
  const properties: Properties = {
    userProperties: [serverTimeProperty(serverSeconds)],
    ...(wire.named && because !== undefined ? { reasonString: because.code } : {}),
  };
  const told = encodeConnack(
    { type: "connack", sessionPresent: false, reasonCode: wire.mqtt5, properties },
    version,
  );
  return told.length <= bytesMax ? told : bare;
}

/** The answer to bytes that are no CONNECT we can take; undefined where the standard leaves only closing. */
export function encodeConnectFailure(
  version: ProtocolVersion | undefined,
  error: MqttError,
): Uint8Array | undefined {
  // Whoever speaks neither version gets 3.1.1's answer (§3.1.2.2 there): every client can read its four bytes.
  if (error.code === "unsupported_protocol_version") return encodeRefused(4, { mqtt311: 0x01, mqtt5: 0x84 });
  return version === 5 ? encodeRefused(5, { mqtt5: error.reasonCode, mqtt311: 0 }) : undefined;
}
