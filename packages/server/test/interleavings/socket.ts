/**
 * A device's end of a Network Connection, in the words of an outside codec (`mqtt-packet`) both ways.
 *
 * What the peer sends while the bridge has stopped reading waits here, as it would in the network.
 */
import type { ByteLink, ByteLinkEvents } from "@mayfly/core";
import mqttPacket, { type Packet } from "mqtt-packet";

export interface SocketWatcher {
  wrote(socket: Socket, packet: Packet): void;
  closedByBridge(socket: Socket): void;
}

export class Socket implements ByteLink {
  readonly name: string;
  readonly version: 4 | 5;
  bufferedBytes = 0;
  isPaused = false;
  isClosed = false;
  /** The peer is gone, or was told that the bridge is. */
  isLost = false;
  /** Packet Identifiers of what came at QoS 1 and was not acknowledged. */
  readonly received: number[] = [];
  #events: ByteLinkEvents | undefined;
  readonly #watcher: SocketWatcher;
  readonly #parser: mqttPacket.Parser;
  readonly #waiting: { readonly packet: Packet; readonly arrives: () => void }[] = [];

  constructor(name: string, version: 4 | 5, watcher: SocketWatcher) {
    this.name = name;
    this.version = version;
    this.#watcher = watcher;
    this.#parser = mqttPacket.parser({ protocolVersion: version });
    this.#parser.on("packet", (packet) => {
      if (packet.cmd === "publish" && packet.messageId !== undefined && packet.qos > 0) {
        this.received.push(packet.messageId);
      }
      watcher.wrote(this, packet);
    });
    this.#parser.on("error", (error) => {
      throw error;
    });
  }

  attach(events: ByteLinkEvents): void {
    this.#events = events;
  }

  write(bytes: Uint8Array): void {
    if (this.isClosed || this.isLost) throw new Error(`bytes for ${this.name}, which is closed`);
    this.#parser.parse(Buffer.from(bytes));
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#watcher.closedByBridge(this);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  get isOpen(): boolean {
    return !this.isClosed && !this.isLost;
  }

  /** @param arrives called when the bridge is about to read it. */
  send(packet: Packet, arrives: () => void): void {
    if (!this.isOpen) return;
    this.#waiting.push({ packet, arrives });
    this.deliver();
  }

  /** Gives the bridge what it lets come. */
  deliver(): void {
    while (!this.isPaused && this.isOpen) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      next.arrives();
      this.#events?.received(mqttPacket.generate(next.packet, { protocolVersion: this.version }));
    }
  }

  /** The connection breaks, or the peer learns that the bridge closed it. */
  lose(): void {
    if (this.isLost) return;
    this.isLost = true;
    this.#waiting.length = 0;
    this.#events?.closed("");
  }
}
