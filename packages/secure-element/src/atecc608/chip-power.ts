/**
 * Awake, idle, asleep: bringing the chip to attention, and knowing how long its watchdog lets it stay so.
 *
 * A wake pulse to an active chip is ignored, and what is read then is whatever lay in its output buffer. So the answer
 * is judged by CRC and status, and anything but "just woken" is met with sleep and another pulse. Within the watchdog's
 * shortest time no pulse is sent at all. (atecc608.md §1.2, §1.7.)
 */
import { ChipError } from "./chip-error.ts";
import type { ChipLink } from "./chip-link.ts";
import { statuses } from "./opcodes.ts";
import { decodeResponse, STATUS_RESPONSE_BYTES, wordAddresses } from "./packet.ts";

/** Pulses before we say that nobody, or nobody we know, is there. */
export const WAKE_ATTEMPTS_MAX = 4;
/** tWHI, ms after the pulse. */
const WAKE_MILLIS = 1.5;
/** A chip with power-on self-test answers within 20 ms; asked each 2 ms. */
const WAKE_POLLS_MAX = 12;
const WAKE_POLL_MILLIS = 2;
/** The watchdog fires 0.7 s after the pulse at the earliest, 1.7 s at the latest; the long one is ten times slower. */
const WATCHDOG_MILLIS_MIN = 650;
const LONG_WATCHDOG_FACTOR = 10;
/** After this the longest watchdog has fired, whichever the chip has. */
const SURELY_ASLEEP_MILLIS = 20_000;
/** A chip woken this recently is not woken again for more time: there is none to gain. */
const FRESH_MILLIS = 60;

export class ChipPower {
  readonly #link: ChipLink;
  /** Undefined: we do not know what state the chip is in. */
  #wokenAtMillis: number | undefined;
  #watchdogMillis = WATCHDOG_MILLIS_MIN;
  #outputBytes: number | undefined;

  constructor(link: ChipLink) {
    this.#link = link;
  }

  setWatchdog(kind: "short" | "long"): void {
    this.#watchdogMillis = kind === "long" ? WATCHDOG_MILLIS_MIN * LONG_WATCHDOG_FACTOR : WATCHDOG_MILLIS_MIN;
  }

  /** How many data bytes the answer in the output buffer has, 0 for a status; undefined: "just woken" or unknown. */
  get outputBytes(): number | undefined {
    return this.#outputBytes;
  }

  noteOutput(bytes: number | undefined): void {
    this.#outputBytes = bytes;
  }

  /** Makes sure of an active chip; what it remembers is of no concern. @throws {ChipError} (rejects). */
  async begin(): Promise<void> {
    const awakeMillis = this.#awakeMillis();
    if (awakeMillis < this.#watchdogMillis) return;
    // Perhaps still active: then it would not hear the pulse. A sleeping chip does not hear this write, and need not.
    if (awakeMillis < SURELY_ASLEEP_MILLIS) await this.#link.write(Uint8Array.of(wordAddresses.sleep));
    await this.#wake();
  }

  /** May a command of this length be started without the watchdog falling into it, as far as that can be helped? */
  hasTimeFor(commandMillis: number): boolean {
    const awakeMillis = this.#awakeMillis();
    return awakeMillis < FRESH_MILLIS || awakeMillis + commandMillis <= this.#watchdogMillis;
  }

  /**
   * Idle, wake: the watchdog starts anew, and TempKey and digest buffer stay.
   *
   * @returns Whether they did stay. @throws {ChipError} (rejects).
   */
  async refresh(): Promise<boolean> {
    const idle = Uint8Array.of(wordAddresses.idle);
    const wasActive = (await this.#link.write(idle)) || (await this.#link.write(idle));
    const wokeAtOnce = await this.#wake();
    return wasActive && wokeAtOnce;
  }

  /** Puts the chip to sleep: tens of nanoamperes, everything volatile forgotten. A chip asleep already stays so. */
  async sleep(): Promise<void> {
    await this.#link.write(Uint8Array.of(wordAddresses.sleep));
    this.#wokenAtMillis = undefined;
  }

  /** What happened last leaves the chip's state in doubt: the next {@link begin} wakes it. */
  forget(): void {
    this.#wokenAtMillis = undefined;
  }

  #awakeMillis(): number {
    return this.#wokenAtMillis === undefined
      ? Number.POSITIVE_INFINITY
      : this.#link.millis() - this.#wokenAtMillis;
  }

  /** @returns Whether the first pulse found a chip asleep or idle and nothing else was done to it. */
  async #wake(): Promise<boolean> {
    this.#wokenAtMillis = undefined;
    this.#outputBytes = undefined;
    let answered = false;
    for (let attempt = 1; attempt <= WAKE_ATTEMPTS_MAX; attempt++) {
      const pulsedAtMillis = this.#link.millis();
      await this.#link.pulse();
      await this.#link.delayMillis(WAKE_MILLIS);
      const status = await this.#readWakeStatus();
      if (status === statuses.afterWake) {
        this.#wokenAtMillis = pulsedAtMillis;
        return attempt === 1;
      }
      if (status === statuses.selfTestError) {
        throw new ChipError(
          "chip_status_self_test",
          "the chip failed its self-test; only a power cycle may help",
          {
            address: this.#link.address,
            status,
          },
        );
      }
      // Also where nobody answers: an active chip that waits for the rest of a damaged group is silent, and hears this.
      const heardSleep = await this.#link.write(Uint8Array.of(wordAddresses.sleep));
      if (status !== undefined || heardSleep) answered = true;
    }
    throw answered
      ? new ChipError("chip_wake_malformed", "something answers the wake pulse, but not as an ATECC does", {
          address: this.#link.address,
        })
      : new ChipError("chip_absent", "no chip acknowledges this address", { address: this.#link.address });
  }

  /** @returns The status, "other" for an answer that is none, undefined where nobody answers. */
  async #readWakeStatus(): Promise<number | "other" | undefined> {
    const first = await this.#pollForWakeAnswer();
    if (first === undefined) return undefined;
    const response = decodeResponse(first);
    if (response.kind === "status") return response.status;
    // Damaged on its way, or the first bytes of an older and longer answer: a second look tells.
    await this.#link.write(Uint8Array.of(wordAddresses.reset));
    const second = await this.#link.read(STATUS_RESPONSE_BYTES);
    const again = decodeResponse(second ?? first);
    return again.kind === "status" ? again.status : "other";
  }

  async #pollForWakeAnswer(): Promise<Uint8Array | undefined> {
    for (let poll = 1; poll <= WAKE_POLLS_MAX; poll++) {
      const answer = await this.#link.read(STATUS_RESPONSE_BYTES);
      if (answer !== undefined) return answer;
      await this.#link.delayMillis(WAKE_POLL_MILLIS);
    }
    return undefined;
  }
}
