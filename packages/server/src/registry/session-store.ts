/**
 * Sessions that outlive their Network Connection (MQTT 5.0 §4.1), as the bridge needs them kept.
 *
 * One Session per device, because a device is one client whatever form of its name it connects with. Kept are
 * the subscriptions and the QoS 1 commands that the device has not acknowledged; a device that is not connected
 * costs the bridge no memory. Config is not queued here: the registry has its versions, and the newest that is
 * not acknowledged goes out when the Session is resumed.
 *
 * A Session ends with the right it was made under: the adapter removes it in the transaction that deletes the
 * device, or that leaves the key it belongs to retired, revoked or removed.
 */
import type { DeviceRef } from "./model.ts";
import type { LookUp } from "./store.ts";

/** Commands queued for one Session; and their payload bytes together. */
export const keptCommandsMax = 100;
export const keptCommandBytesMax = 1024 * 1024;
/**
 * Packet Identifiers of kept commands lie in 1 to this, given in turn, so that one is not given again while it
 * is in use; everything else the bridge sends at QoS 1 has its identifiers above.
 */
export const keptPacketIdentifierMax = 0x7fff;

export interface KeptSubscriptions {
  /** Granted QoS; absent: not subscribed. */
  readonly config?: 0 | 1;
  readonly commands?: 0 | 1;
}

/** A command at QoS 1 without its PUBACK. */
export interface KeptCommand {
  readonly packetIdentifier: number;
  readonly subfolder: string;
  readonly payload: Uint8Array;
  /** It may have been sent before: the next sending carries DUP (MQTT 5.0 §3.3.1.1). */
  readonly mayHaveBeenSent: boolean;
}

export interface KeptSession {
  /** SHA-256 of the key it belongs to, as in `KeyRecord.fingerprint`. */
  readonly keyFingerprint: string;
  readonly subscriptions: KeptSubscriptions;
  /** Session Expiry Interval, capped: seconds it lives after its connection. */
  readonly expirySeconds: number;
  /** Oldest first. */
  readonly commands: readonly KeptCommand[];
}

export interface SessionToSave extends Omit<KeptSession, "commands"> {
  /** The connection that has it from now on: a name no other connection of this process has. */
  readonly owner: string;
  readonly isNew: boolean;
}

export interface CommandToQueue {
  readonly subfolder: string;
  readonly payload: Uint8Array;
  /** The connection is there and sends it as soon as it is queued. */
  readonly isSentNow: boolean;
}

export type QueueCommandOutcome =
  | { readonly kind: "queued"; readonly packetIdentifier: number }
  /** No Session is kept, or it is over. */
  | { readonly kind: "no_session" }
  /** It is not subscribed to commands at QoS 1. */
  | { readonly kind: "not_subscribed" }
  | { readonly kind: "too_many" };

export interface SessionStore {
  /** Commands included. `undefined` where there is none or it is over. May answer synchronously. */
  lookUpSession(device: DeviceRef, answer: (session: LookUp<KeptSession>) => void): void;
  /**
   * Makes the device's Session, or replaces all of it but its commands; it is connected from now on, owned by
   * connection `owner`. `isNew`: nothing of a Session before it stays, its commands neither; otherwise all
   * commands count as perhaps sent from now on, since its connection sends them.
   * @throws {StoreError} not_found: the device is gone, or its key is not one that may verify (any more).
   */
  saveSession(device: DeviceRef, session: SessionToSave): Promise<void>;
  /** Its connection is over: it ends `expirySeconds` from now, and nobody owns it. Ignored unless `owner` does. */
  leaveSession(device: DeviceRef, owner: string, expirySeconds: number): Promise<void>;
  /** Ends it now, with its commands. With `owner`: ignored unless that connection owns it. */
  endSession(device: DeviceRef, owner?: string): Promise<void>;
  /** Queues a command for a Session that lives, connected or not; durable when it resolves. */
  queueCommand(device: DeviceRef, command: CommandToQueue): Promise<QueueCommandOutcome>;
  /** The device acknowledged it. Unknown ones are ignored. */
  removeCommand(device: DeviceRef, packetIdentifier: number): Promise<void>;
}
