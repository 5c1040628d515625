/**
 * Reason Codes of MQTT 5.0 (§2.4, with the tables of each packet in §3) and return codes of 3.1.1.
 *
 * Names are the standard's. Which packet may carry which code, and which side may send it, is data here;
 * both decoders read it, so an answer outside its table never reaches the bridge or the agent.
 */

/** MQTT 5.0 §2.4. 0x00 is also called Normal disconnection and Granted QoS 0. */
export const reasonCode = {
  success: 0x00,
  normalDisconnection: 0x00,
  grantedQoS0: 0x00,
  grantedQoS1: 0x01,
  grantedQoS2: 0x02,
  disconnectWithWillMessage: 0x04,
  noMatchingSubscribers: 0x10,
  noSubscriptionExisted: 0x11,
  continueAuthentication: 0x18,
  reauthenticate: 0x19,
  unspecifiedError: 0x80,
  malformedPacket: 0x81,
  protocolError: 0x82,
  implementationSpecificError: 0x83,
  unsupportedProtocolVersion: 0x84,
  clientIdentifierNotValid: 0x85,
  badUserNameOrPassword: 0x86,
  notAuthorized: 0x87,
  serverUnavailable: 0x88,
  serverBusy: 0x89,
  banned: 0x8a,
  serverShuttingDown: 0x8b,
  badAuthenticationMethod: 0x8c,
  keepAliveTimeout: 0x8d,
  sessionTakenOver: 0x8e,
  topicFilterInvalid: 0x8f,
  topicNameInvalid: 0x90,
  packetIdentifierInUse: 0x91,
  packetIdentifierNotFound: 0x92,
  receiveMaximumExceeded: 0x93,
  topicAliasInvalid: 0x94,
  packetTooLarge: 0x95,
  messageRateTooHigh: 0x96,
  quotaExceeded: 0x97,
  administrativeAction: 0x98,
  payloadFormatInvalid: 0x99,
  retainNotSupported: 0x9a,
  qosNotSupported: 0x9b,
  useAnotherServer: 0x9c,
  serverMoved: 0x9d,
  sharedSubscriptionsNotSupported: 0x9e,
  connectionRateExceeded: 0x9f,
  maximumConnectTime: 0xa0,
  subscriptionIdentifiersNotSupported: 0xa1,
  wildcardSubscriptionsNotSupported: 0xa2,
} as const;

/** CONNACK return codes of MQTT 3.1.1 §3.2.2.3; SUBACK's failure of §3.9.3. */
export const returnCode = {
  connectionAccepted: 0x00,
  unacceptableProtocolVersion: 0x01,
  identifierRejected: 0x02,
  serverUnavailable: 0x03,
  badUserNameOrPassword: 0x04,
  notAuthorized: 0x05,
  subscriptionFailure: 0x80,
} as const;

export type ReasonCodeCarrier =
  | "connack"
  | "puback"
  | "pubrec"
  | "pubrel"
  | "pubcomp"
  | "suback"
  | "unsuback"
  | "disconnectFromClient"
  | "disconnectFromServer"
  | "authFromClient"
  | "authFromServer"
  | "connack311"
  | "suback311";

const publishAnswers = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99] as const;

/** Which codes each packet may carry. MQTT 5.0 tables 3-1, 3-4 to 3-11 with their column "Sent by", §3.9.3, §3.11.3. */
export const reasonCodesOf = {
  connack: [
    0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99,
    0x9a, 0x9b, 0x9c, 0x9d, 0x9f,
  ],
  puback: publishAnswers,
  pubrec: publishAnswers,
  pubrel: [0x00, 0x92],
  pubcomp: [0x00, 0x92],
  suback: [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2],
  unsuback: [0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91],
  disconnectFromClient: [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99],
  disconnectFromServer: [
    0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97,
    0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
  ],
  authFromClient: [0x18, 0x19],
  authFromServer: [0x00, 0x18],
  connack311: [0x00, 0x01, 0x02, 0x03, 0x04, 0x05],
  suback311: [0x00, 0x01, 0x02, 0x80],
} as const satisfies Record<ReasonCodeCarrier, readonly number[]>;

/** Whether the standard lets this packet, sent by this side, carry `code`. */
export function mayCarryReasonCode(carrier: ReasonCodeCarrier, code: number): boolean {
  const codes: readonly number[] = reasonCodesOf[carrier];
  return codes.includes(code);
}

/** The standard's name of a code, for logs: "notAuthorized". 0x00 to 0x02 are named after SUBACK only there. */
export function findReasonCodeName(code: number): string | undefined {
  for (const [name, value] of Object.entries(reasonCode)) if (value === code) return name;
  return undefined;
}
