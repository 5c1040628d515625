/**
 * DS3231: reads, sets and trims the battery-backed clock on the I2C bus.
 *
 * One burst of all 19 registers is one latched instant, so nothing is read twice and compared. What a burst cannot say is
 * where in its second the clock was: `read` leaves ± 0.5 s for that, `readPhase` watches the seconds change instead. A
 * sample's bound is the error of reading alone.
 *
 * No method rejects: a bus that fails, is silent or answers nonsense is an ordinary answer. One operation at a time.
 *
 * Left to others: the bus and its timeouts (`ds3231-link.ts`); what the bytes mean (`clock-registers.ts`); whether the clock is believed, and how far it has drifted
 * since it was set (`time-keeper.ts`, `drift-fit.ts`).
 */
import type { TimeSample } from "../time-sample.ts";
import {
  type ClockRegisters,
  decodeClockRegisters,
  ds3231EndSeconds,
  ds3231EpochSeconds,
  encodeTimeRegisters,
} from "./clock-registers.ts";
import { type Burst, Ds3231Link, type Ds3231Ports, type TransactionTrouble } from "./ds3231-link.ts";
import { controlBit, register, statusBit } from "./registers.ts";

/** Between two looks at the seconds. */
export const phasePollMillis = 5;
/** A running clock changes its seconds within 1 s, 200 looks; after these it stands still. */
export const phasePollsMax = 240;
/** A clock set later than this after the whole second is set again on the next one … */
export const setLateMillisMax = 5;
/** … so often; the last stays, and its error is told … */
export const setAttemptsMax = 3;
/** … unless it is later than this: then nothing is written. */
export const setLateMillisLimit = 500;
export const conversionPollMillis = 10;
/** A conversion takes 200 ms at most (datasheet, tCONV). */
export const conversionPollsMax = 40;

export type Ds3231Trouble =
  | TransactionTrouble
  /** What is read is no time that a DS3231 can show. */
  | "no_clock"
  /** The seconds do not change. */
  | "standing_still"
  /** BSY or CONV does not end. */
  | "always_converting"
  /** What was written is not what is read afterwards. */
  | "not_kept"
  /** The clock cannot show that time, or has no such aging offset. */
  | "out_of_range"
  /** Timers ran too late to meet a whole second; nothing was written. */
  | "late"
  /** Another operation is under way. */
  | "in_use";

export interface Ds3231Unusable {
  readonly kind: "unusable";
  readonly because: Ds3231Trouble;
}

export type Ds3231Reading =
  | {
      readonly kind: "read";
      /** What the clock shows, with the error of reading it. How wrong the clock is comes on top. */
      readonly sample: TimeSample;
      /** Of the last conversion: at most 64 s old, steps of 0.25. */
      readonly temperatureC: number;
      /** OSF: the time is worth nothing until it is set. */
      readonly isOscillatorStopped: boolean;
      /** -128 to 127; about 0.1 ppm each, positive slows. */
      readonly aging: number;
    }
  | Ds3231Unusable;

export type Ds3231SetAnswer =
  | {
      readonly kind: "set";
      /** What the clock shows from now on, as `readPhase` would tell it. */
      readonly sample: TimeSample;
      /** How far the clock may be from the true time: what the good time may, and how far from its second it was written. */
      readonly errorSecondsMax: number;
    }
  | Ds3231Unusable;

export type Ds3231AgingAnswer =
  | { readonly kind: "aging_set"; readonly previousAging: number }
  | Ds3231Unusable;

export class Ds3231 {
  readonly #link: Ds3231Link;
  #isInUse = false;

  constructor(ports: Ds3231Ports) {
    this.#link = new Ds3231Link(ports);
  }

  /** Reads blind, in a few milliseconds: the sample's bound is 0.5 s and half of what the bus took. */
  read(): Promise<Ds3231Reading> {
    return this.#alone(async () => {
      const burst = await this.#link.burst();
      if (typeof burst === "string") return unusable(burst);
      const clock = decodeClockRegisters(burst.bytes);
      if (clock === undefined) return unusable("no_clock");
      const { atMillis, boundSeconds } = sampleBetween(burst.beforeMillis, burst.afterMillis, 0);
      return reading(clock, { atMillis, seconds: clock.seconds + 0.5, boundSeconds: boundSeconds + 0.5 });
    });
  }

  /** Waits for the seconds to change, up to 1 s: the sample's bound is half a poll, some 3 to 5 ms. */
  readPhase(): Promise<Ds3231Reading> {
    return this.#alone(async () => {
      let earlier = await this.#link.burst();
      for (let poll = 0; poll < phasePollsMax; poll += 1) {
        if (typeof earlier === "string") return unusable(earlier);
        const shown = decodeClockRegisters(earlier.bytes);
        if (shown === undefined) return unusable("no_clock");
        await this.#link.pause(phasePollMillis);
        const later = await this.#link.burst();
        const next = typeof later === "string" ? undefined : decodeClockRegisters(later.bytes);
        if (typeof later !== "string" && next !== undefined && next.seconds !== shown.seconds)
          return reading(next, sampleBetween(earlier.beforeMillis, later.afterMillis, next.seconds));
        earlier = later;
      }
      return unusable("standing_still");
    });
  }

  /**
   * Sets the clock at the next whole second of a good time, lets the oscillator run on the battery, and only then
   * clears OSF. Takes up to {@link setAttemptsMax} seconds.
   *
   * @param good Fresh: how the monotonic clock drifts since is nobody's error here.
   */
  set(good: TimeSample): Promise<Ds3231SetAnswer> {
    return this.#alone(async () => {
      // Its time may be nonsense still, so only the bytes beyond it are looked at.
      const before = await this.#link.burst();
      if (typeof before === "string") return unusable(before);
      const target = await this.#nextWholeSecond(good);
      if (target === undefined) return unusable("out_of_range");

      // Writing the seconds restarts the sub-second chain, somewhere between these two instants.
      const beforeMillis = this.#link.now();
      if (beforeMillis - target.dueMillis > setLateMillisLimit) return unusable("late");
      let trouble = await this.#link.write(register.seconds, encodeTimeRegisters(target.seconds));
      const afterMillis = this.#link.now();
      const control = (before.bytes[register.control] ?? 0) & ~(controlBit.eosc | controlBit.conv);
      // Writing 1 leaves an alarm flag as it is.
      const status =
        ((before.bytes[register.status] ?? 0) & statusBit.en32kHz) | statusBit.a2f | statusBit.a1f;
      trouble ??= await this.#link.write(register.control, [control, status]);
      if (trouble !== undefined) return unusable(trouble);

      const back = await this.#link.burst();
      if (typeof back === "string") return unusable(back);
      const clock = decodeClockRegisters(back.bytes);
      const isKept =
        clock !== undefined &&
        !clock.isOscillatorStopped &&
        ((back.bytes[register.control] ?? 0) & controlBit.eosc) === 0 &&
        clock.seconds >= target.seconds &&
        clock.seconds <= target.seconds + (back.afterMillis - beforeMillis) / 1000;
      if (!isKept) return unusable("not_kept");
      const lateMillis = Math.max(
        Math.abs(beforeMillis - target.dueMillis),
        Math.abs(afterMillis - target.dueMillis),
      );
      return {
        kind: "set",
        sample: sampleBetween(beforeMillis, afterMillis, target.seconds),
        errorSecondsMax: good.boundSeconds + lateMillis / 1000,
      };
    });
  }

  /**
   * Writes the aging offset and has it take effect at once, by a conversion.
   *
   * @param aging A whole number, -127 to 127.
   */
  setAging(aging: number): Promise<Ds3231AgingAnswer> {
    return this.#alone(async () => {
      if (!Number.isInteger(aging) || Math.abs(aging) > 127) return unusable("out_of_range");
      const before = await this.#idleBurst();
      if (typeof before === "string") return unusable(before);
      const previous = decodeClockRegisters(before.bytes);
      if (previous === undefined) return unusable("no_clock");

      const control = (before.bytes[register.control] ?? 0) | controlBit.conv;
      let trouble = await this.#link.write(register.agingOffset, [aging & 0xff]);
      trouble ??= await this.#link.write(register.control, [control]);
      if (trouble !== undefined) return unusable(trouble);

      const after = await this.#idleBurst();
      if (typeof after === "string") return unusable(after);
      if (decodeClockRegisters(after.bytes)?.aging !== aging) return unusable("not_kept");
      return { kind: "aging_set", previousAging: previous.aging };
    });
  }

  async #alone<T>(operate: () => Promise<T>): Promise<T | Ds3231Unusable> {
    if (this.#isInUse) return unusable("in_use");
    this.#isInUse = true;
    try {
      return await operate();
    } finally {
      this.#isInUse = false;
    }
  }

  /** @returns Where that second has begun; undefined when the clock has no such second. */
  async #nextWholeSecond(
    good: TimeSample,
  ): Promise<{ readonly seconds: number; readonly dueMillis: number } | undefined> {
    for (let attempt = 1; ; attempt += 1) {
      const seconds = Math.ceil(good.seconds + (this.#link.now() - good.atMillis) / 1000);
      if (!(seconds >= ds3231EpochSeconds && seconds < ds3231EndSeconds)) return undefined;
      const dueMillis = good.atMillis + (seconds - good.seconds) * 1000;
      await this.#link.pause(Math.max(0, Math.ceil(dueMillis - this.#link.now())));
      const isLate = this.#link.now() - dueMillis > setLateMillisMax;
      if (!isLate || attempt >= setAttemptsMax) return { seconds, dueMillis };
    }
  }

  /** A burst of a chip that converts no temperature. */
  async #idleBurst(): Promise<Burst | TransactionTrouble | "always_converting"> {
    for (let poll = 0; poll < conversionPollsMax; poll += 1) {
      const burst = await this.#link.burst();
      if (typeof burst === "string") return burst;
      const isBusy = ((burst.bytes[register.status] ?? 0) & statusBit.bsy) !== 0;
      const isConverting = ((burst.bytes[register.control] ?? 0) & controlBit.conv) !== 0;
      if (!isBusy && !isConverting) return burst;
      await this.#link.pause(conversionPollMillis);
    }
    return "always_converting";
  }
}

const unusable = (because: Ds3231Trouble): Ds3231Unusable => ({ kind: "unusable", because });

function reading(clock: ClockRegisters, sample: TimeSample): Ds3231Reading {
  const { temperatureC, isOscillatorStopped, aging } = clock;
  return { kind: "read", sample, temperatureC, isOscillatorStopped, aging };
}

/** `seconds` began at some instant between the two. */
function sampleBetween(earlierMillis: number, laterMillis: number, seconds: number): TimeSample {
  return {
    atMillis: (earlierMillis + laterMillis) / 2,
    seconds,
    boundSeconds: (laterMillis - earlierMillis) / 2_000,
  };
}
