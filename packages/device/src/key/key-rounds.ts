/**
 * Key rounds: which key to try next while the bridge refuses.
 *
 * A refusal does not say why: the key may be retired, or the device blocked, or the registry away from its senses.
 * So the key in use is tried twice, then each of the others once; after that it is the key in use again for a long
 * time, lest a device that was merely blocked comes back with a key nobody planned.
 */

/** Refusals of the key in use before another is tried: the first may have been for the time. */
export const refusalsBeforeOthers = 2;
/** Refusals of the key in use, after a round through the others, before the next round. */
export const refusalsBetweenRounds = 30;

export class KeyRounds {
  #refusals = 0;
  #leastRefusals = refusalsBeforeOthers;

  /** A bridge accepted some key. */
  accepted(): void {
    this.#refusals = 0;
    this.#leastRefusals = refusalsBeforeOthers;
  }

  /** @returns How many places behind the key in use the next one to try is, among `keys`: 0 for itself. */
  refused(keys: number): number {
    this.#refusals += 1;
    const place = this.#refusals - this.#leastRefusals + 1;
    if (place <= 0) return 0;
    if (place < keys) return place;
    this.#refusals = 0;
    this.#leastRefusals = refusalsBetweenRounds;
    return 0;
  }
}
