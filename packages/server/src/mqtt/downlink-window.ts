/**
 * Downlink window: what one connection has in flight to its client at QoS 1, whosever it is.
 *
 * Packet Identifiers and the client's Receive Maximum belong to the Network Connection (MQTT 5.0 §4.9), not to a
 * device: a gateway's own messages and those of the devices attached to it share one window of at most 20. Each
 * message says whose lane it is in, and its acknowledgement goes there.
 *
 * Left to others: what is sent and when (`downlink.ts`).
 */
import type { CommandOutcome } from "./bridge.ts";

export type CommandAnswer = (outcome: CommandOutcome) => void;

export interface Command {
  readonly subfolder: string;
  readonly payload: Uint8Array;
  /** No answer once it timed out, or where nobody waits. */
  answer: CommandAnswer | undefined;
  readonly dueMillis: number;
  /** The store has it until the device acknowledges it. */
  isKept: boolean;
}

export type InFlight =
  | { readonly kind: "config"; readonly version: number; readonly payload: Uint8Array }
  | ({ readonly kind: "command" } & Command);

/** One device's part of the connection. */
export interface DownlinkLane {
  /** A PUBACK; what waits for room goes out afterwards. @param reasonCode 0x80 and above: the client refused it. */
  acknowledged(packetIdentifier: number, item: InFlight, reasonCode: number): void;
}

export class DownlinkWindow {
  /** By Packet Identifier, oldest first. */
  readonly #items = new Map<number, { readonly lane: DownlinkLane; readonly item: InFlight }>();
  readonly #sizeMax: number;
  readonly #floor: number;
  /** The Packet Identifier given last. */
  last = 0;

  /** @param floor identifiers up to it are given by somebody else: the store, where a Session is kept. */
  constructor(sizeMax: number, floor: number) {
    this.#sizeMax = sizeMax;
    this.#floor = floor;
  }

  get size(): number {
    return this.#items.size;
  }

  get isFull(): boolean {
    return this.#items.size >= this.#sizeMax;
  }

  /** A Packet Identifier that is not in use; at most 20 are, so a free one is near. */
  nextPacketIdentifier(): number {
    do {
      const last = Math.max(this.last, this.#floor);
      this.last = last >= 0xffff ? this.#floor + 1 : last + 1;
    } while (this.#items.has(this.last));
    return this.last;
  }

  has(packetIdentifier: number): boolean {
    return this.#items.has(packetIdentifier);
  }

  put(lane: DownlinkLane, packetIdentifier: number, item: InFlight): void {
    this.#items.set(packetIdentifier, { lane, item });
  }

  /** One of `lane`'s own. */
  find(lane: DownlinkLane, packetIdentifier: number): InFlight | undefined {
    const found = this.#items.get(packetIdentifier);
    return found?.lane === lane ? found.item : undefined;
  }

  delete(packetIdentifier: number): void {
    this.#items.delete(packetIdentifier);
  }

  /** What is in flight in one lane, oldest first. */
  *of(lane: DownlinkLane): Iterable<readonly [packetIdentifier: number, item: InFlight]> {
    for (const [packetIdentifier, found] of this.#items) {
      if (found.lane === lane) yield [packetIdentifier, found.item];
    }
  }

  /** Takes out all that is in flight in one lane. */
  takeOut(lane: DownlinkLane): ReadonlyMap<number, InFlight> {
    const own = new Map(this.of(lane));
    for (const packetIdentifier of own.keys()) this.#items.delete(packetIdentifier);
    return own;
  }

  /** A PUBACK. @returns whether something was in flight under it; otherwise it is ignored. */
  acknowledged(packetIdentifier: number, reasonCode: number): boolean {
    const found = this.#items.get(packetIdentifier);
    if (found === undefined) return false;
    this.#items.delete(packetIdentifier);
    found.lane.acknowledged(packetIdentifier, found.item, reasonCode);
    return true;
  }
}
