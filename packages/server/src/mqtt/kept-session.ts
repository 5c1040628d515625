/**
 * The Session of one connection on its way to the store: what must outlive the connection, kept as it changes.
 *
 * The store is the truth for a device that is not connected, so what the client was promised is durable before
 * it is told: a SUBACK waits for its subscription. The store takes writes in order, and knows by `owner` which
 * connection speaks, so the last words of one that was taken over change nothing.
 */
import type { Random } from "@mayfly/core";
import { hexEncode } from "@mayfly/core";
import type { DeviceRef } from "../registry/model.ts";
import type { KeptSubscriptions, QueueCommandOutcome, SessionStore } from "../registry/session-store.ts";

const ownerBytes = 12;

/** A Session's first saving, which its connections look at one after the other. */
export interface Beginning {
  isDurable: boolean;
}

export class KeptSessionWriter {
  readonly #store: SessionStore;
  readonly #device: DeviceRef;
  readonly #owner: string;
  #expirySeconds: number;
  #isOver = false;
  #beginning: Readonly<Beginning> = { isDurable: true };

  constructor(
    ports: { readonly sessions: SessionStore; readonly random: Random },
    device: DeviceRef,
    expirySeconds: number,
  ) {
    this.#store = ports.sessions;
    this.#device = device;
    this.#owner = hexEncode(ports.random.fill(new Uint8Array(ownerBytes)));
    this.#expirySeconds = expirySeconds;
  }

  /** While it is not durable, what the store takes is an older Session's. */
  get beginning(): Readonly<Beginning> {
    return this.#beginning;
  }

  /** @returns whether it is durable. */
  async save(
    session: { readonly keyFingerprint: string; readonly subscriptions: KeptSubscriptions },
    isNew: boolean,
  ): Promise<boolean> {
    if (this.#isOver) return false;
    const whole = { ...session, expirySeconds: this.#expirySeconds, owner: this.#owner, isNew };
    const beginning = { isDurable: false };
    if (isNew) this.#beginning = beginning;
    try {
      await this.#store.saveSession(this.#device, whole);
      beginning.isDurable = true;
      return true;
    } catch {
      // The store's own status tells of its trouble, and a device that is gone loses its connection anyway.
      return false;
    }
  }

  /** @param answer gets undefined where the store could not take it. */
  queueCommand(
    command: { readonly subfolder: string; readonly payload: Uint8Array },
    answer: (outcome: QueueCommandOutcome | undefined) => void,
  ): void {
    this.#store
      .queueCommand(this.#device, { ...command, isSentNow: true })
      .then(answer, () => answer(undefined));
  }

  /** The device has it. Should this be lost, it gets the command again, with DUP. */
  removeCommand(packetIdentifier: number): void {
    this.#store.removeCommand(this.#device, packetIdentifier).catch(() => undefined);
  }

  /** DISCONNECT named another Session Expiry Interval (MQTT 5.0 §3.14.2.2.2). */
  changeExpiry(expirySeconds: number): void {
    this.#expirySeconds = expirySeconds;
  }

  /** It goes on where another connection stopped. */
  goOn(beginning: Readonly<Beginning>): void {
    this.#beginning = beginning;
  }

  /** Another connection of the device goes on with it. */
  handedOn(): void {
    this.#isOver = true;
  }

  /** The connection is over. */
  leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const done =
      this.#expirySeconds === 0
        ? this.#store.endSession(this.#device, this.#owner)
        : this.#store.leaveSession(this.#device, this.#owner, this.#expirySeconds);
    // Where the store cannot take it, the next opening of its file ends what it finds connected.
    done.catch(() => undefined);
  }
}
