/**
 * Messages taken lately, by the ids their devices gave them: a message sent again is known, and kept once.
 *
 * A device that did not hear our acknowledgement sends again, perhaps over a new connection or the other
 * bridge, perhaps while the first copy is still on its way to the disk. The second copy is not stored, and is
 * answered with what the first came to: so it is never acknowledged before the first is durable.
 *
 * A repeat must look like its first in all that is stored, not in its id alone. Firmware that counts from 1
 * after each start uses its ids again for other messages, and those must not be lost.
 *
 * One bounded memory for all devices, nothing per device. Losing an entry costs a second copy, which
 * at-least-once allows.
 */
import type { IntakeOutcome } from "./intake.ts";

/** A message sent again later than this is a new one. */
export const repeatMillisMax = 600_000;
/** Messages remembered for all devices together; the oldest makes room. At most some 25 MB, with ids of 128 bytes. */
export const recentMessagesMax = 65_536;

type Done = (outcome: IntakeOutcome) => void;

interface Recent {
  readonly takenMillis: number;
  readonly fingerprint: number;
  readonly payloadBytes: number;
  /** Undefined while the first copy is under way. */
  outcome: IntakeOutcome | undefined;
  /** Repeats that came meanwhile; as many as their connections may leave unanswered. */
  waiting: Done[];
}

export interface IdentifiedMessage {
  readonly deviceNumId: string;
  readonly deviceMessageId: string;
  readonly subfolder: string;
  readonly payload: Uint8Array;
}

export class RecentMessages {
  /** By device and message id, in the order they were first taken. */
  readonly #recent = new Map<string, Recent>();

  get size(): number {
    return this.#recent.size;
  }

  /**
   * @param done of this copy; called here, but never before this returns, when it is a repeat.
   * @returns for a first copy what to call with its outcome, which then calls `done`; undefined for a repeat.
   */
  take(message: IdentifiedMessage, nowMillis: number, done: Done): Done | undefined {
    this.#forgetOlder(nowMillis - repeatMillisMax);
    // A numId holds digits only, so the two parts can't run into each other.
    const key = `${message.deviceNumId} ${message.deviceMessageId}`;
    const fingerprint = fingerprintOf(message);
    const payloadBytes = message.payload.length;
    const first = this.#recent.get(key);
    if (first !== undefined && first.fingerprint === fingerprint && first.payloadBytes === payloadBytes) {
      const { outcome } = first;
      if (outcome === undefined) first.waiting.push(done);
      else Promise.resolve().then(() => done(outcome));
      return undefined;
    }
    const own: Recent = {
      takenMillis: nowMillis,
      fingerprint,
      payloadBytes,
      outcome: undefined,
      waiting: [],
    };
    this.#recent.delete(key);
    this.#makeRoom();
    this.#recent.set(key, own);
    return (outcome) => {
      // What was refused is not here: sent again, it is a first copy.
      if (outcome.kind === "refused" && this.#recent.get(key) === own) this.#recent.delete(key);
      own.outcome = outcome;
      const { waiting } = own;
      own.waiting = [];
      done(outcome);
      for (const repeat of waiting) repeat(outcome);
    };
  }

  #forgetOlder(beforeMillis: number): void {
    for (const [key, { takenMillis }] of this.#recent) {
      if (takenMillis > beforeMillis) return;
      this.#recent.delete(key);
    }
  }

  #makeRoom(): void {
    if (this.#recent.size < recentMessagesMax) return;
    for (const oldest of this.#recent.keys()) {
      this.#recent.delete(oldest);
      return;
    }
  }
}

/** FNV-1a, 32 bits. No defence is needed: who makes two messages collide loses one of its own. */
function fingerprintOf({ subfolder, payload }: IdentifiedMessage): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < subfolder.length; index += 1) {
    hash = Math.imul(hash ^ subfolder.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ 0x10000, 0x01000193);
  for (const byte of payload) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
