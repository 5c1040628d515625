/**
 * What this device can take of a bridge, and how fast it may speak: limits that CONNECT announces, and the pace that
 * Cloud IoT Core set for one connection.
 *
 * Left to others: what the bridge allows (`bridge-limits.ts`).
 */

export interface WireSettings {
  /** Maximum Packet Size we announce, in bytes, 512 to 1,048,576. A longer packet ends the connection. */
  readonly maximumPacketSize: number;
  /**
   * Receive Maximum we announce, 1 to 20: configs and commands of QoS 1 that are not acknowledged yet. 3.1.1 cannot say
   * it; there more than that ends the connection.
   */
  readonly receiveMaximum: number;
  /** PUBLISHes of ours without PUBACK, 1 to 20; fewer where the bridge allows fewer. In XS each takes some 400 to 500 bytes. */
  readonly inFlightMaximum: number;
  /** Topic Alias Maximum we announce, 0 to 16. */
  readonly topicAliasMaximum: number;
  /** Session Expiry Interval we ask for where the Session may be kept (MQTT 5, `cleanSession: false`), 1 to 4,294,967,295. */
  readonly sessionExpirySeconds: number;
  /** PUBLISHes of ours, 1 to 100,000 in a second; a fifth of that may go at once. */
  readonly messagesPerSecond: number;
  /** Bytes of them, 1,024 to 1 GiB in a second, likewise. One message may be larger than that. */
  readonly bytesPerSecond: number;
  /** From the answer to one state to the sending of the next, 0 to 60,000. */
  readonly statePauseMillis: number;
}

/** The contract's numbers (Cloud IoT Core: 100 messages, 512 KiB and one state in a second, commands of 256 KiB). */
export const wireDefaults: WireSettings = {
  maximumPacketSize: 264 * 1024,
  receiveMaximum: 20,
  inFlightMaximum: 20,
  topicAliasMaximum: 0,
  sessionExpirySeconds: 86_400,
  messagesPerSecond: 100,
  bytesPerSecond: 512 * 1024,
  statePauseMillis: 1_000,
};
