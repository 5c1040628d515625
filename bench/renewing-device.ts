/**
 * One device of `renewals-500x50.ts`: it publishes and takes commands, QoS 1, and renews meanwhile.
 *
 * What is not acknowledged stays with the device under its Packet Identifier and goes out again on the connection
 * that follows, marked as a duplicate (3.1.1 §4.4). A renewal holds nothing back: a message goes out on whichever
 * connection is the newest that the bridge accepted.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTls } from "node:tls";
import { type FleetDevice, signToken } from "../test/process/fleet.ts";
import {
  authPacket,
  connectPacket,
  disconnectPacket,
  packetType,
  pubackPacket,
  publishPacket,
  RawConnection,
  type Received,
  readPublish,
  subscribePacket,
} from "../test/process/raw-mqtt.ts";
import type { Endpoint } from "./renewal-client.ts";

export type WayInSession = "reauthentication" | "handover";

/** What one fleet's devices write down together. */
export interface Ledger {
  readonly acknowledged: Set<string>;
  /** Commands by their text: more than once only where one was sent again. */
  readonly handled: Map<string, number>;
  /** Milliseconds from publishing to the PUBACK, the longest of all. */
  longestWaitMillis: number;
}

interface Unacknowledged {
  readonly text: string;
  readonly atMillis: number;
}

const method = "mayfly-jwt";

export class RenewingDevice {
  readonly way: WayInSession;
  readonly device: FleetDevice;
  /** Renewals done. */
  renewals = 0;
  /** Successful CONNECTs. */
  connects = 0;
  readonly #endpoint: Endpoint;
  readonly #ledger: Ledger;
  readonly #unacknowledged = new Map<number, Unacknowledged>();
  #packetIdentifier = 0;
  #current: RawConnection | undefined;

  constructor(way: WayInSession, device: FleetDevice, endpoint: Endpoint, ledger: Ledger) {
    this.way = way;
    this.device = device;
    this.#endpoint = endpoint;
    this.#ledger = ledger;
  }

  get unacknowledged(): number {
    return this.#unacknowledged.size;
  }

  async open(): Promise<void> {
    const connection = await this.#connect({ sessionPresent: false });
    this.#current = connection;
    const topicFilter = `/devices/${this.device.id}/commands/#`;
    await connection.ask(subscribePacket(this.#version, topicFilter), packetType.suback);
  }

  publish(text: string): void {
    this.#packetIdentifier = (this.#packetIdentifier % 0xffff) + 1;
    this.#unacknowledged.set(this.#packetIdentifier, { text, atMillis: performance.now() });
    this.#send(this.#packetIdentifier, text, { isDuplicate: false });
  }

  /** Brings the next token, in this device's way. */
  async renew(): Promise<void> {
    const before = this.#live();
    if (this.way === "reauthentication") {
      const answer = await before.ask(authPacket(method, this.#token()), packetType.auth);
      // A remaining length of 0 says success (5.0 §3.15.2.1).
      assert.equal(answer[0] ?? 0, 0);
    } else {
      this.#current = await this.#connect({ sessionPresent: true });
      before.send(disconnectPacket);
      for (const [packetIdentifier, { text }] of this.#unacknowledged) {
        this.#send(packetIdentifier, text, { isDuplicate: true });
      }
      await before.cut;
    }
    this.renewals += 1;
  }

  close(): void {
    this.#current?.destroy();
  }

  get #version(): 4 | 5 {
    return this.way === "reauthentication" ? 5 : 4;
  }

  async #connect(expected: { readonly sessionPresent: boolean }): Promise<RawConnection> {
    const { port, ca } = this.#endpoint;
    const socket = connectTls({ host: "127.0.0.1", port, servername: "localhost", ca });
    const connection = new RawConnection(socket, (packet) => this.#take(packet, connection));
    await once(socket, "secureConnect");
    const { clientIdentifier } = this.device;
    const token = this.#token();
    const order =
      this.way === "reauthentication"
        ? ({ version: 5, clientIdentifier, token, method } as const)
        : ({ version: 4, clientIdentifier, token, userName: "mayfly/1 handover", clean: false } as const);
    const connack = await connection.ask(connectPacket(order), packetType.connack);
    assert.deepEqual([...connack.subarray(0, 2)], [Number(expected.sessionPresent), 0]);
    this.connects += 1;
    return connection;
  }

  #send(packetIdentifier: number, payload: string, { isDuplicate }: { readonly isDuplicate: boolean }): void {
    const topicName = `/devices/${this.device.id}/events`;
    this.#live().send(publishPacket(this.#version, { topicName, packetIdentifier, payload, isDuplicate }));
  }

  /** Whichever connection it came by: an answer goes back the same way. */
  #take({ type, body }: Received, connection: RawConnection): void {
    if (type === packetType.puback) {
      const packetIdentifier = body.readUInt16BE(0);
      const message = this.#unacknowledged.get(packetIdentifier);
      if (message === undefined) return;
      this.#unacknowledged.delete(packetIdentifier);
      this.#ledger.acknowledged.add(message.text);
      const waited = performance.now() - message.atMillis;
      this.#ledger.longestWaitMillis = Math.max(this.#ledger.longestWaitMillis, waited);
    }
    if (type === packetType.publish) {
      const { packetIdentifier, payload } = readPublish(this.#version, body);
      this.#ledger.handled.set(payload, (this.#ledger.handled.get(payload) ?? 0) + 1);
      connection.send(pubackPacket(packetIdentifier));
    }
  }

  /** A token that has lived most of its life: then the next one comes as planned, and is no takeover by somebody. */
  #token(): string {
    const now = Math.floor(Date.now() / 1000);
    return signToken(this.device, { iat: now - 3_000, exp: now + 600 });
  }

  #live(): RawConnection {
    if (this.#current === undefined) throw new Error("the device is not connected");
    return this.#current;
  }
}
