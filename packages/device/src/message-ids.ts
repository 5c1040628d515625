/**
 * Message ids of the agent's own: what the bridge and applications know a message by that was sent twice.
 *
 * Unique for a device over its restarts by two means, so that one may fail: the count of openings that a store keeps,
 * and 48 bits of chance drawn with the first id (a store may be lost, or come back from a backup).
 */
import { base64urlEncode, type Random } from "@mayfly/core";

const chanceBytes = 6;

export class MessageIds {
  readonly #opening: string;
  readonly #random: Random;
  #prefix = "";
  #count = 0;

  /** @param opening Which opening of the store this is; empty without one. */
  constructor(opening: string, random: Random) {
    this.#opening = opening;
    this.#random = random;
  }

  /** @returns 10 to 32 ASCII characters. */
  next(): string {
    if (this.#prefix === "") {
      const chance = base64urlEncode(this.#random.fill(new Uint8Array(chanceBytes)));
      this.#prefix = this.#opening === "" ? chance : `${this.#opening}.${chance}`;
    }
    this.#count += 1;
    return `${this.#prefix}.${this.#count.toString(36)}`;
  }
}
