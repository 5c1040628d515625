/**
 * Time witnesses: what the fleet's tokens say the time is, and how well a clock fits it.
 *
 * A device mints shortly before it connects, so `iat` + `u` of an authentic token seen for the first time is the
 * time of its arrival less the token's age then. Age only ever makes a right clock look ahead, and a device that
 * lost its clock is behind far oftener than ahead. So a clock is measured against the upper quartile of the newest
 * offsets of distinct devices: near 0 while one in four tokens is fresh, and unmoved by fewer than one in four
 * devices that run ahead. A median would need half of them fresh.
 *
 * Offsets are wall less monotonic, so that evidence stays what it was whichever timeline is believed.
 *
 * Left to others: which timelines there are, and which is believed (`self-clock.ts`).
 */
import type { NumericDate } from "@mayfly/core";

/** What an authentic token says, taken or refused for its time alone. */
export interface TimeTestimony {
  readonly deviceNumId: string;
  /** Claim `iat`. */
  readonly issuedAtSeconds: NumericDate;
  /** Claim `u`, 0 where there is none: by so much `iat` was backdated. */
  readonly uncertaintySeconds: number;
}

/** Port: who listens to what tokens say. Adapter: the bridge's self-clock. */
export interface TestimonyListener {
  /** Hears an authentic token. Must not throw. */
  hear(testimony: TimeTestimony): void;
}

/** Devices whose newest token is remembered; about 100 bytes each. */
export const witnessesMax = 64;
/** Fewer prove nothing: of five, one may lie. */
export const witnessesMin = 5;

interface Witness {
  readonly issuedAtSeconds: NumericDate;
  /** Wall less monotonic time by this token, seconds. */
  readonly offsetSeconds: number;
  readonly era: number;
}

export class TimeWitnesses {
  /** By numId, oldest first. */
  readonly #byDevice = new Map<string, Witness>();
  #era = 0;

  /** At most {@link witnessesMax}. */
  get size(): number {
    return this.#byDevice.size;
  }

  /** Hears a token. The same one again says nothing new; a device has one voice. */
  hear(testimony: TimeTestimony, monotonicMillis: number): void {
    const { deviceNumId, issuedAtSeconds, uncertaintySeconds } = testimony;
    if (this.#byDevice.get(deviceNumId)?.issuedAtSeconds === issuedAtSeconds) return;
    this.#byDevice.delete(deviceNumId);
    const offsetSeconds = issuedAtSeconds + uncertaintySeconds - monotonicMillis / 1000;
    this.#byDevice.set(deviceNumId, { issuedAtSeconds, offsetSeconds, era: this.#era });
    for (const oldest of this.#byDevice.keys()) {
      if (this.#byDevice.size <= witnessesMax) break;
      this.#byDevice.delete(oldest);
    }
  }

  /** From here on a witness heard is a fresh one. */
  beginEra(): void {
    this.#era += 1;
  }

  /**
   * @param which `fresh`: heard in this era. After a step only these can tell a clock that was wrong all along
   *   from a machine that slept.
   * @returns what they say wall less monotonic time is, in seconds; undefined when they are fewer than
   *   {@link witnessesMin}.
   */
  offsetSeconds(which: "all" | "fresh"): number | undefined {
    const offsets: number[] = [];
    for (const { offsetSeconds, era } of this.#byDevice.values()) {
      if (which === "all" || era === this.#era) offsets.push(offsetSeconds);
    }
    if (offsets.length < witnessesMin) return undefined;
    offsets.sort((a, b) => b - a);
    return offsets[Math.floor(offsets.length / 4)];
  }
}
