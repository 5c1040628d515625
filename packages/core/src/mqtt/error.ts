/**
 * The one error of the MQTT codec: a closed set of codes, each with the Reason Code that MQTT 5.0 §4.13
 * lets a receiver put into its CONNACK or DISCONNECT.
 *
 * Left to others: answering the peer. MQTT 3.1.1 has no such answer but CONNACK 0x01 for
 * `unsupported_protocol_version`; it just closes the Network Connection (3.1.1 §4.8).
 */

export type MqttErrorCode =
  | "malformed_packet"
  | "protocol_error"
  | "not_encodable"
  | "unsupported_protocol_version"
  | "topic_name_invalid"
  | "topic_alias_invalid"
  | "packet_too_large"
  | "backlog_exceeded";

/** The Reason Code of each error, MQTT 5.0 §2.4. */
export const reasonCodeOfError = {
  malformed_packet: 0x81,
  protocol_error: 0x82,
  not_encodable: 0x83,
  unsupported_protocol_version: 0x84,
  topic_name_invalid: 0x90,
  topic_alias_invalid: 0x94,
  packet_too_large: 0x95,
  backlog_exceeded: 0x97,
} as const satisfies Record<MqttErrorCode, number>;

/**
 * Bytes were refused by a decoder, or a value by an encoder (`not_encodable`).
 *
 * `code` is stable and public; `message` is for people and may change. Neither it nor the facts ever
 * carry received text: a password could be in it.
 */
export class MqttError extends Error {
  override readonly name = "MqttError";
  readonly code: MqttErrorCode;
  /** MQTT 5.0 §2.4, for a CONNACK or DISCONNECT. */
  readonly reasonCode: number;
  /** Numbers and names of packets and fields, fit for a log. */
  readonly facts: Readonly<Record<string, string | number>>;

  constructor(code: MqttErrorCode, message: string, facts: MqttError["facts"] = {}) {
    super(message);
    this.code = code;
    this.reasonCode = reasonCodeOfError[code];
    this.facts = facts;
  }
}

/** The bytes cannot be parsed according to the specification (§4.13.1): 0x81. */
export function malformed(message: string, facts?: MqttError["facts"]): MqttError {
  return new MqttError("malformed_packet", message, facts);
}

/** The bytes parse, yet say what the protocol does not allow (§4.13.1): 0x82. */
export function protocolError(message: string, facts?: MqttError["facts"]): MqttError {
  return new MqttError("protocol_error", message, facts);
}

/** A value handed to an encoder has no form on the wire. */
export function notEncodable(message: string, facts?: MqttError["facts"]): MqttError {
  return new MqttError("not_encodable", message, facts);
}
