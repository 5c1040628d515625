/**
 * Who holds which message of one partition for a subscription, and which comes next: leases live in memory,
 * acknowledgements on disk.
 *
 * Blocks are handed out in order up to a mark; behind the mark are the outstanding ones, each with a small
 * record per message. A restart forgets leases and attempts, never an acknowledgement.
 */
import { hasBit } from "./event-executor.ts";

const FREE = 0;
const ACKNOWLEDGING = 1;
const ACKNOWLEDGED = 2;

/** The outstanding messages of one block. */
interface HeldBlock {
  readonly count: number;
  readonly states: Uint8Array;
  readonly attempts: Uint16Array;
  readonly untilMillis: Float64Array;
  /** Messages before this index were handed out. */
  handedOut: number;
  /** Messages not acknowledged. */
  open: number;
  /** No lease ends before this instant. */
  earliestMillis: number;
}

export interface Lease {
  readonly block: number;
  readonly index: number;
  readonly attempt: number;
}

export interface FreshLeases {
  readonly leases: readonly Lease[];
  /** Indices of those the subscription does not ask for. */
  readonly passed: readonly number[];
}

export class LeaseBook {
  readonly #held = new Map<number, HeldBlock>();
  readonly #acknowledgedBefore: Map<number, Uint8Array>;
  /** The mark: blocks before it were handed out whole, this one up to what {@link HeldBlock} says. */
  freshBlock: number;
  /** Delivered and not acknowledged. */
  outstanding = 0;

  constructor(nextBlock: number, acknowledged: readonly (readonly [number, Uint8Array])[]) {
    this.freshBlock = nextBlock;
    this.#acknowledgedBefore = new Map(acknowledged);
  }

  /** Blocks with a message whose lease has ended, oldest first. */
  blocksWithEnded(nowMillis: number): readonly number[] {
    const blocks: number[] = [];
    for (const [block, held] of this.#held)
      if (held.open > 0 && held.earliestMillis <= nowMillis) blocks.push(block);
    return blocks;
  }

  /** Leases again what has come back of a block, at most `max` messages. */
  leaseEnded(block: number, max: number, nowMillis: number, untilMillis: number): readonly Lease[] {
    const held = this.#held.get(block);
    if (held === undefined) return [];
    const leases: Lease[] = [];
    let earliest = Number.POSITIVE_INFINITY;
    for (let index = 0; index < held.handedOut; index += 1) {
      if (held.states[index] !== FREE) continue;
      const ends = held.untilMillis[index] ?? 0;
      if (ends <= nowMillis && leases.length < max) leases.push(this.#lease(block, held, index, untilMillis));
      earliest = Math.min(earliest, held.untilMillis[index] ?? 0);
    }
    held.earliestMillis = earliest;
    return leases;
  }

  /**
   * Leases what was never handed out of the block at the mark or the next one, and moves the mark.
   * @param isWanted whether the subscription asks for a message at all; one it does not want is passed over, and
   *   counts as acknowledged from now on.
   */
  leaseFresh(
    block: number,
    count: number,
    max: number,
    untilMillis: number,
    isWanted?: (index: number) => boolean,
  ): FreshLeases {
    const held = this.#held.get(block) ?? this.#hold(block, count);
    const leases: Lease[] = [];
    const passed: number[] = [];
    while (held.handedOut < count && leases.length < max) {
      const index = held.handedOut;
      held.handedOut += 1;
      if (held.states[index] !== FREE) continue;
      if (isWanted?.(index) === false) {
        held.states[index] = ACKNOWLEDGED;
        held.open -= 1;
        passed.push(index);
        continue;
      }
      this.outstanding += 1;
      leases.push(this.#lease(block, held, index, untilMillis));
    }
    held.earliestMillis = Math.min(held.earliestMillis, untilMillis);
    this.freshBlock = held.handedOut < count ? block : block + 1;
    this.#releaseIfDone(block, held);
    return { leases, passed };
  }

  /** Retention removed the block. */
  forget(block: number): void {
    const held = this.#held.get(block);
    if (held === undefined) return;
    this.#held.delete(block);
    for (let index = 0; index < held.handedOut; index += 1) {
      if (held.states[index] !== ACKNOWLEDGED) this.outstanding -= 1;
    }
    if (this.freshBlock === block) this.freshBlock = block + 1;
  }

  /** @returns whether the lease is the present one and has not ended. */
  isValid({ block, index, attempt }: Lease, nowMillis: number): boolean {
    const held = this.#held.get(block);
    return (
      held !== undefined &&
      held.states[index] === FREE &&
      held.attempts[index] === attempt &&
      (held.untilMillis[index] ?? 0) > nowMillis
    );
  }

  /** @returns Messages in the block: what its bitmap needs to know. */
  countOf(block: number): number {
    return this.#held.get(block)?.count ?? 0;
  }

  /** Until the disk has answered, the message is neither delivered again nor acknowledged twice. */
  beginAcknowledge(block: number, index: number): void {
    const held = this.#held.get(block);
    if (held !== undefined) held.states[index] = ACKNOWLEDGING;
  }

  endAcknowledge(block: number, indices: readonly number[], isDurable: boolean): void {
    const held = this.#held.get(block);
    if (held === undefined) return;
    for (const index of indices) {
      held.states[index] = isDurable ? ACKNOWLEDGED : FREE;
      if (!isDurable) continue;
      held.open -= 1;
      this.outstanding -= 1;
    }
    this.#releaseIfDone(block, held);
  }

  setLease({ block, index }: Lease, untilMillis: number): void {
    const held = this.#held.get(block);
    if (held === undefined) return;
    held.untilMillis[index] = untilMillis;
    held.earliestMillis = Math.min(held.earliestMillis, untilMillis);
  }

  #lease(block: number, held: HeldBlock, index: number, untilMillis: number): Lease {
    const attempt = Math.min((held.attempts[index] ?? 0) + 1, 65_535);
    held.attempts[index] = attempt;
    held.untilMillis[index] = untilMillis;
    return { block, index, attempt };
  }

  #hold(block: number, count: number): HeldBlock {
    const held: HeldBlock = {
      count,
      states: new Uint8Array(count),
      attempts: new Uint16Array(count),
      untilMillis: new Float64Array(count),
      handedOut: 0,
      open: count,
      earliestMillis: Number.POSITIVE_INFINITY,
    };
    const bitmap = this.#acknowledgedBefore.get(block);
    this.#acknowledgedBefore.delete(block);
    if (bitmap !== undefined) {
      for (let index = 0; index < count; index += 1) {
        if (!hasBit(bitmap, index)) continue;
        held.states[index] = ACKNOWLEDGED;
        held.open -= 1;
      }
    }
    this.#held.set(block, held);
    return held;
  }

  #releaseIfDone(block: number, held: HeldBlock): void {
    if (held.open === 0 && held.handedOut === held.count) this.#held.delete(block);
  }
}
