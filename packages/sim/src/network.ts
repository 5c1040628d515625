/**
 * Network: in-memory links between agents and bridges, with latency, cuts and silence.
 *
 * A link behaves as TCP under TLS does towards its owner: bytes keep their order but not their borders, a
 * close is told after what was written before it, and whoever has closed hears nothing more but the end.
 *
 * Left to others: datagrams, and addresses.
 */
import type { ByteLink, ByteLinkEvents } from "@mayfly/core";
import type { Connect } from "@mayfly/device";
import type { SeededRandom } from "./random.ts";
import type { World } from "./world.ts";

/** What may wait at a paused reader before the link breaks: a generous socket buffer. */
export const pausedBytesMax = 4 * 1024 * 1024;
/** How long an end that closes waits for its peer, as the hosts do, before it is over on its own. */
export const closeWaitMillis = 2_000;

export interface NetworkOptions {
  /** One way, drawn evenly for each piece of data, in milliseconds. */
  readonly latencyMillis: { readonly least: number; readonly most: number };
  /** Longest piece data is cut into, at random; absent: data arrives as it was written. */
  readonly pieceBytesMax?: number;
}

/** The far side: gets a link for each connection, and answers with what to tell of it (`Bridge.open`). */
export type Accept = (link: ByteLink) => ByteLinkEvents;

export interface Dialer {
  /** For an agent's ports. A link is open after two round trips, as TCP and TLS 1.3 take. */
  readonly connect: Connect;
  /** Links that are open or being opened. */
  readonly links: number;
  /** Breaks all links of this dialer: both ends are told `because` after a latency. */
  cut(because: string): void;
  /** From now on nothing passes through the links there are, and nobody is told. */
  silence(): void;
  /** While true, new links are refused after a round trip. */
  setRefusing(isRefusing: boolean): void;
}

export interface Network {
  createDialer(name: string, accept: Accept): Dialer;
}

export function createNetwork(world: World, options: NetworkOptions): Network {
  return {
    createDialer(name, accept) {
      const random = world.random(`network/${name}`);
      const open = new Set<Pair>();
      let isRefusing = false;
      return {
        connect(events) {
          const pair = new Pair(world, options, random, () => open.delete(pair));
          open.add(pair);
          pair.near.attach(events);
          if (isRefusing) pair.break("ECONNREFUSED");
          else pair.establish(accept, () => events.opened());
          return pair.near;
        },
        get links() {
          return open.size;
        },
        cut(because) {
          for (const pair of [...open]) pair.break(because);
        },
        silence() {
          for (const pair of open) pair.silence();
        },
        setRefusing(refusing) {
          isRefusing = refusing;
        },
      };
    },
  };
}

/** Both ends of one link, and the way between them. */
class Pair {
  readonly near: End;
  readonly far: End;
  readonly #world: World;
  readonly #options: NetworkOptions;
  readonly #random: SeededRandom;
  readonly #over: () => void;
  #isSilent = false;

  constructor(world: World, options: NetworkOptions, random: SeededRandom, over: () => void) {
    this.#world = world;
    this.#options = options;
    this.#random = random;
    this.#over = over;
    this.near = new End(this);
    this.far = new End(this);
  }

  get isSilent(): boolean {
    return this.#isSilent;
  }

  /** Two round trips: the far side learns of it half a round trip before the near one. */
  establish(accept: Accept, opened: () => void): void {
    const trip = this.#latency() + this.#latency() + this.#latency();
    this.#world.timers.after(trip, () => {
      if (this.near.hasClosed || this.near.isOver || this.#isSilent) return;
      this.far.attach(accept(this.far));
      this.carry(this.near, () => {
        if (!this.near.hasClosed) opened();
      });
    });
  }

  silence(): void {
    this.#isSilent = true;
    this.#over();
  }

  break(because: string): void {
    for (const end of [this.near, this.far])
      this.#world.timers.after(this.#latency(), () => end.finish(because));
    this.silence();
  }

  /** Brings something to `to` after a latency and never before what was carried there earlier. */
  carry(to: End, arrive: () => void): void {
    const now = this.#world.clock.monotonicMillis();
    to.arrivalMillis = Math.max(to.arrivalMillis, now + this.#latency());
    this.#world.timers.after(to.arrivalMillis - now, () => {
      if (!this.#isSilent) arrive();
    });
  }

  carryBytes(to: End, bytes: Uint8Array): void {
    const most = this.#options.pieceBytesMax;
    if (most === undefined) {
      this.carry(to, () => to.deliver(bytes));
      return;
    }
    for (let start = 0; start < bytes.length; ) {
      const end = Math.min(bytes.length, start + this.#random.between(1, most));
      const piece = bytes.slice(start, end);
      this.carry(to, () => to.deliver(piece));
      start = end;
    }
  }

  /** `from` closes: the peer hears of it, closes in turn, and then `from` hears its own end. */
  carryClose(from: End): void {
    const peer = this.peerOf(from);
    this.carry(peer, () => {
      peer.deliverEnd(() => {
        peer.finish("");
        this.carry(from, () => {
          from.finish("");
          this.#over();
        });
      });
    });
  }

  afterCloseWait(run: () => void): void {
    this.#world.timers.after(closeWaitMillis, run);
  }

  peerOf(end: End): End {
    return end === this.near ? this.far : this.near;
  }

  #latency(): number {
    const { least, most } = this.#options.latencyMillis;
    return least + this.#random.share() * (most - least);
  }
}

class End implements ByteLink {
  /** When the latest thing carried here arrives. */
  arrivalMillis = 0;
  readonly #pair: Pair;
  #events: ByteLinkEvents | undefined;
  #hasClosed = false;
  #isOver = false;
  #isPaused = false;
  #held: (() => void)[] = [];
  #heldBytes = 0;

  constructor(pair: Pair) {
    this.#pair = pair;
  }

  get hasClosed(): boolean {
    return this.#hasClosed;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get bufferedBytes(): number {
    return this.#pair.peerOf(this).#heldBytes;
  }

  attach(events: ByteLinkEvents): void {
    this.#events = events;
  }

  write(bytes: Uint8Array): void {
    if (this.#hasClosed || this.#isOver || this.#pair.isSilent) return;
    this.#pair.carryBytes(this.#pair.peerOf(this), bytes);
  }

  close(): void {
    if (this.#hasClosed || this.#isOver) return;
    this.#hasClosed = true;
    this.#pair.carryClose(this);
    this.#pair.afterCloseWait(() => this.finish(""));
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    while (!this.#isPaused) {
      const next = this.#held.shift();
      if (next === undefined) return;
      next();
    }
  }

  deliver(bytes: Uint8Array): void {
    if (this.#hasClosed || this.#isOver) return;
    if (!this.#isPaused) {
      this.#events?.received(bytes);
      return;
    }
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > pausedBytesMax) {
      this.#pair.break("ENOBUFS");
      return;
    }
    this.#held.push(() => {
      this.#heldBytes -= bytes.length;
      if (!this.#hasClosed && !this.#isOver) this.#events?.received(bytes);
    });
  }

  /** The peer's close, after the data it sent before; one who has closed himself does not wait to read that. */
  deliverEnd(end: () => void): void {
    if (this.#isPaused && !this.#hasClosed) this.#held.push(end);
    else end();
  }

  finish(because: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#held = [];
    this.#events?.closed(because);
  }
}
