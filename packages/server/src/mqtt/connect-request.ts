/**
 * What a CONNECT asks for, in the bridge's words, or why it cannot be asked.
 *
 * Everything that can be said without the registry is decided here, so that the connection only carries it out.
 * Nothing in the result is a view into received bytes.
 */
import { BytesError, type DeviceName, IdError, parseClientIdentifier, utf8Decode } from "@mayfly/core";
import type { ConnectPacket, ProtocolVersion } from "@mayfly/core/mqtt";
import { reasonCode, returnCode } from "@mayfly/core/mqtt";
import { type AuthenticationMethod, findAuthenticationMethod } from "./authentication-method.ts";
import type { RefusalCodes } from "./connack.ts";
import type { ConnectRefusal } from "./observer.ts";

export interface ConnectRequest {
  readonly version: ProtocolVersion;
  readonly deviceName: DeviceName;
  /** "" where none came, or what came is no text: refused as one that is malformed. */
  readonly token: string;
  /** Present: the token came as Authentication Data, and the session may be renewed by AUTH. */
  readonly method: AuthenticationMethod | undefined;
  /** An agent of ours, by its User Name `mayfly/1` or because it speaks our method. */
  readonly ownAgent: boolean;
  /** User Name `mayfly/1 handover`: the connection before is to be relieved, not taken over. */
  readonly asksHandover: boolean;
  readonly cleanStart: boolean;
  /** How long the Session is to outlive the connection; infinite for a 3.1.1 client with Clean Session 0. */
  readonly sessionExpirySeconds: number;
  /** Seconds, 0 for none. */
  readonly keepAlive: number;
  /** The client's Receive Maximum and Maximum Packet Size; 65,535 and infinite where it named none. */
  readonly receiveMaximum: number;
  readonly packetBytesMax: number;
  /** Request Problem Information: 0 forbids Reason String and User Property but in CONNACK and DISCONNECT. */
  readonly wantsProblemInformation: boolean;
}

export type ConnectReading =
  | { readonly kind: "request"; readonly request: ConnectRequest }
  | { readonly kind: "refused"; readonly because: ConnectRefusal; readonly codes: RefusalCodes };

/** User Name by which our own agents make themselves known, alone or with words after a space. */
const ownAgentUserName = "mayfly/1";
const handoverUserName = `${ownAgentUserName} handover`;
/** Session Expiry Interval that never ends (MQTT 5.0 §3.1.2.11.2). */
const neverExpires = 0xffff_ffff;

export function readConnect(connect: ConnectPacket): ConnectReading {
  const { protocolVersion: version, properties, will } = connect;
  // A Will is taken and ignored, but 5.0 forbids to accept one beyond what CONNACK announces
  // [MQTT-3.2.2-12, -13].
  if (version === 5 && will?.retain === true) {
    return refused("will_unsupported", reasonCode.retainNotSupported, returnCode.notAuthorized);
  }
  if (version === 5 && will?.qos === 2) {
    return refused("will_unsupported", reasonCode.qosNotSupported, returnCode.notAuthorized);
  }
  const named = properties?.authenticationMethod;
  const method = named === undefined ? undefined : findAuthenticationMethod(named);
  if (named !== undefined && method === undefined) {
    const { badAuthenticationMethod } = reasonCode;
    return refused("authentication_method_unsupported", badAuthenticationMethod, returnCode.notAuthorized);
  }
  // Two credentials: whichever we took, somebody would be surprised.
  if (method !== undefined && connect.password !== undefined) {
    return refused("credentials_ambiguous", reasonCode.notAuthorized, returnCode.notAuthorized);
  }
  const deviceName = findDeviceName(connect.clientIdentifier);
  if (deviceName === undefined) {
    const { clientIdentifierNotValid } = reasonCode;
    return refused("client_identifier_malformed", clientIdentifierNotValid, returnCode.identifierRejected);
  }

  const userName = connect.userName ?? "";
  return {
    kind: "request",
    request: {
      version,
      deviceName,
      token: tokenOf(method === undefined ? connect.password : properties?.authenticationData),
      method,
      ownAgent:
        method !== undefined || userName === ownAgentUserName || userName.startsWith(`${ownAgentUserName} `),
      asksHandover: userName === handoverUserName,
      cleanStart: connect.cleanStart,
      sessionExpirySeconds: sessionExpiryOf(connect),
      keepAlive: connect.keepAlive,
      receiveMaximum: properties?.receiveMaximum ?? 0xffff,
      packetBytesMax: properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY,
      wantsProblemInformation: properties?.requestProblemInformation !== 0,
    },
  };
}

/** What is no text is no token, and is refused as one that is malformed. */
export function tokenOf(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return "";
  try {
    return utf8Decode(bytes);
  } catch (error) {
    if (error instanceof BytesError) return "";
    throw error;
  }
}

function sessionExpiryOf({ protocolVersion, cleanStart, properties }: ConnectPacket): number {
  if (protocolVersion === 4) return cleanStart ? 0 : Number.POSITIVE_INFINITY;
  const asked = properties?.sessionExpiryInterval ?? 0;
  return asked === neverExpires ? Number.POSITIVE_INFINITY : asked;
}

function findDeviceName(clientIdentifier: string): DeviceName | undefined {
  try {
    return parseClientIdentifier(clientIdentifier);
  } catch (error) {
    if (error instanceof IdError) return undefined;
    throw error;
  }
}

function refused(because: ConnectRefusal, mqtt5: number, mqtt311: number): ConnectReading {
  return { kind: "refused", because, codes: { mqtt5, mqtt311 } };
}
