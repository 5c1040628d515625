/**
 * Faulty pipe: one direction of a proxied connection, which can be slow and can stand still.
 *
 * What comes in waits in a queue until its time, in order. While the pipe is frozen nothing goes out, no end and no reset
 * of the source either, as across a cut cable; and nothing is read, so that TCP holds the source up in the end.
 */
import type { Socket } from "node:net";

/** Held at most; beyond that the source is not read, and TCP holds it up. */
export const pipeBytesMax = 1_048_576;

interface Held {
  /** undefined: the source has ended. */
  readonly bytes: Uint8Array | undefined;
  readonly dueMillis: number;
}

export class FaultyPipe {
  /** Of what is read from now on. */
  delayMillis = 0;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #held: Held[] = [];
  #heldBytes = 0;
  #isFrozen = false;
  #isBroken = false;
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;

  /** `from` must not flow yet. */
  constructor(from: Socket, to: Socket) {
    this.#from = from;
    this.#to = to;
    from.on("data", (bytes: Uint8Array) => this.#hold(bytes));
    from.on("end", () => this.#hold(undefined));
    from.on("error", () => {
      this.#isBroken = true;
    });
    from.on("close", () => this.#forward());
    to.on("drain", () => this.#forward());
    to.on("close", () => this.discard());
    this.#forward();
  }

  freeze(): void {
    this.#isFrozen = true;
    this.#from.pause();
  }

  thaw(): void {
    this.#isFrozen = false;
    if (this.#isOver) this.#from.resume();
    else this.#forward();
  }

  /** Lets nothing more through; what comes is read and forgotten, frozen once it thaws. */
  discard(): void {
    this.#isOver = true;
    this.#held.length = 0;
    clearTimeout(this.#timer);
    if (!this.#isFrozen) this.#from.resume();
  }

  #hold(bytes: Uint8Array | undefined): void {
    if (this.#isOver) return;
    this.#held.push({ bytes, dueMillis: performance.now() + this.delayMillis });
    this.#heldBytes += bytes?.length ?? 0;
    this.#forward();
  }

  #forward(): void {
    clearTimeout(this.#timer);
    if (this.#isFrozen || this.#isOver) return;
    if (this.#isBroken) {
      this.#to.resetAndDestroy();
      return;
    }
    for (let next = this.#held[0]; next !== undefined && !this.#to.writableNeedDrain; next = this.#held[0]) {
      const early = next.dueMillis - performance.now();
      if (early > 0) {
        this.#timer = setTimeout(() => this.#forward(), Math.ceil(early));
        break;
      }
      this.#held.shift();
      this.#heldBytes -= next.bytes?.length ?? 0;
      if (next.bytes === undefined) this.#to.end();
      else this.#to.write(next.bytes);
    }
    if (this.#heldBytes < pipeBytesMax) this.#from.resume();
    else this.#from.pause();
  }
}
