/**
 * MQTT Control Packets as values, 3.1.1 (protocol level 4) and 5.0 (level 5) alike.
 *
 * One shape serves both versions: what 3.1.1 lacks is absent. Names are those of MQTT 5.0 §2 and §3.
 * Encoders and decoders live beside this file, one per packet and direction, so that a device's bundle
 * carries only the client's half.
 */

/** 4 is MQTT 3.1.1, 5 is MQTT 5.0 (§3.1.2.2). */
export type ProtocolVersion = 4 | 5;
export type QoS = 0 | 1 | 2;

/** MQTT 5.0 §2.2.2.2, all of them; which may occur where is checked by the codec. An absent one was not sent. */
export interface Properties {
  readonly payloadFormatIndicator?: 0 | 1;
  readonly messageExpiryInterval?: number;
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
  /** Several in a received PUBLISH, at most one in SUBSCRIBE. */
  readonly subscriptionIdentifiers?: readonly number[];
  readonly sessionExpiryInterval?: number;
  readonly assignedClientIdentifier?: string;
  readonly serverKeepAlive?: number;
  readonly authenticationMethod?: string;
  /** Decoded: a view, as {@link PublishPacket.payload}. */
  readonly authenticationData?: Uint8Array;
  readonly requestProblemInformation?: 0 | 1;
  readonly willDelayInterval?: number;
  readonly requestResponseInformation?: 0 | 1;
  readonly responseInformation?: string;
  readonly serverReference?: string;
  readonly reasonString?: string;
  readonly receiveMaximum?: number;
  readonly topicAliasMaximum?: number;
  readonly topicAlias?: number;
  readonly maximumQoS?: 0 | 1;
  readonly retainAvailable?: 0 | 1;
  readonly userProperties?: readonly (readonly [name: string, value: string])[];
  readonly maximumPacketSize?: number;
  readonly wildcardSubscriptionAvailable?: 0 | 1;
  readonly subscriptionIdentifiersAvailable?: 0 | 1;
  readonly sharedSubscriptionAvailable?: 0 | 1;
}

export interface Will {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties?: Properties;
}

export interface ConnectPacket {
  readonly type: "connect";
  readonly protocolVersion: ProtocolVersion;
  /** Clean Session in 3.1.1. */
  readonly cleanStart: boolean;
  /** Seconds, 0 = off. */
  readonly keepAlive: number;
  readonly clientIdentifier: string;
  readonly userName?: string;
  /** Decoded: a view, as {@link PublishPacket.payload}. */
  readonly password?: Uint8Array;
  readonly will?: Will;
  readonly properties?: Properties;
}

export interface ConnackPacket {
  readonly type: "connack";
  readonly sessionPresent: boolean;
  /** Reason Code in 5.0 (§3.2.2.2), return code in 3.1.1 (§3.2.2.3). */
  readonly reasonCode: number;
  readonly properties?: Properties;
}

export interface PublishPacket {
  readonly type: "publish";
  readonly dup: boolean;
  readonly qos: QoS;
  readonly retain: boolean;
  /** May be empty in 5.0 when a Topic Alias stands for it. */
  readonly topic: string;
  /** Present exactly when qos > 0. */
  readonly packetIdentifier?: number;
  /** Decoded: a view into the received bytes, valid until the next call of the decoder; copy what you keep. */
  readonly payload: Uint8Array;
  readonly properties?: Properties;
}

export interface AcknowledgementPacket<T extends "puback" | "pubrec" | "pubrel" | "pubcomp"> {
  readonly type: T;
  readonly packetIdentifier: number;
  /** 0x00 in 3.1.1. */
  readonly reasonCode: number;
  readonly properties?: Properties;
}
export type PubackPacket = AcknowledgementPacket<"puback">;
export type PubrecPacket = AcknowledgementPacket<"pubrec">;
export type PubrelPacket = AcknowledgementPacket<"pubrel">;
export type PubcompPacket = AcknowledgementPacket<"pubcomp">;

export interface SubscriptionRequest {
  readonly topicFilter: string;
  readonly qos: QoS;
  /** The three below are 5.0 only; false, false, 0 in 3.1.1. */
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: 0 | 1 | 2;
}

export interface SubscribePacket {
  readonly type: "subscribe";
  readonly packetIdentifier: number;
  readonly subscriptions: readonly SubscriptionRequest[];
  readonly properties?: Properties;
}

export interface SubackPacket {
  readonly type: "suback";
  readonly packetIdentifier: number;
  readonly reasonCodes: readonly number[];
  readonly properties?: Properties;
}

export interface UnsubscribePacket {
  readonly type: "unsubscribe";
  readonly packetIdentifier: number;
  readonly topicFilters: readonly string[];
  readonly properties?: Properties;
}

export interface UnsubackPacket {
  readonly type: "unsuback";
  readonly packetIdentifier: number;
  /** Empty in 3.1.1. */
  readonly reasonCodes: readonly number[];
  readonly properties?: Properties;
}

export interface PingreqPacket {
  readonly type: "pingreq";
}
export interface PingrespPacket {
  readonly type: "pingresp";
}

export interface DisconnectPacket {
  readonly type: "disconnect";
  /** 0x00 in 3.1.1. */
  readonly reasonCode: number;
  readonly properties?: Properties;
}

/** MQTT 5.0 only (§3.15). */
export interface AuthPacket {
  readonly type: "auth";
  readonly reasonCode: number;
  readonly properties?: Properties;
}

/** What a client sends and a server decodes. */
export type ClientPacket =
  | ConnectPacket
  | PublishPacket
  | PubackPacket
  | PubrecPacket
  | PubrelPacket
  | PubcompPacket
  | SubscribePacket
  | UnsubscribePacket
  | PingreqPacket
  | DisconnectPacket
  | AuthPacket;

/** What a server sends and a client decodes. */
export type ServerPacket =
  | ConnackPacket
  | PublishPacket
  | PubackPacket
  | PubrecPacket
  | PubrelPacket
  | PubcompPacket
  | SubackPacket
  | UnsubackPacket
  | PingrespPacket
  | DisconnectPacket
  | AuthPacket;

export type MqttPacket = ClientPacket | ServerPacket;
