/**
 * A driver and a simulated DS3231 in one virtual time: the clock's own. Timers run when it is moved, and `until` moves it
 * from timer to timer for as long as an answer takes.
 */
import type { CancelTimer, Clock, Timers } from "@mayfly/core";
import type { I2cBus } from "../src/ports.ts";
import { Ds3231 } from "../src/time/ds3231/ds3231.ts";
import { createDs3231Sim, type Ds3231Sim, type Ds3231SimOptions } from "../src/time/ds3231/sim/ds3231-sim.ts";
import { ds3231SimBus } from "../src/time/ds3231/sim/sim-bus.ts";
import type { TimeSample } from "../src/time/time-sample.ts";

interface Waiting {
  readonly dueMillis: number;
  readonly run: () => void;
}

export class RtcWorld implements Timers {
  readonly sim: Ds3231Sim;
  readonly bus: I2cBus;
  readonly rtc: Ds3231;
  /** True time of virtual 0. */
  readonly startSeconds: number;
  /** How much later than asked timers run. */
  timerLateMillis = 0;
  /** What was written, hex, without what only set the register pointer. */
  readonly written: string[] = [];
  #waiting: Waiting[] = [];

  constructor(options: Ds3231SimOptions & { readonly trueSeconds?: number } = {}) {
    this.sim = createDs3231Sim(options);
    this.startSeconds = options.trueSeconds ?? options.startsAtSeconds ?? 1_800_000_000;
    const bus = ds3231SimBus(this.sim);
    this.bus = {
      read: bus.read,
      write: (address, bytes) => {
        if (bytes.length > 1) this.written.push(Buffer.from(bytes).toString("hex"));
        return bus.write(address, bytes);
      },
    };
    this.rtc = new Ds3231({ bus: this.bus, clock: this.clock, timers: this });
  }

  readonly clock: Pick<Clock, "monotonicMillis"> = { monotonicMillis: () => this.sim.nowMicros() / 1000 };

  after(delayMillis: number, run: () => void): CancelTimer {
    const waiting = { dueMillis: this.clock.monotonicMillis() + delayMillis + this.timerLateMillis, run };
    this.#waiting.push(waiting);
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== waiting);
    };
  }

  get timersWaiting(): number {
    return this.#waiting.length;
  }

  trueSeconds(): number {
    return this.startSeconds + this.sim.nowMicros() / 1e6;
  }

  /** The true time, as a perfect source would tell it. */
  truth(boundSeconds = 0): TimeSample {
    return { atMillis: this.clock.monotonicMillis(), seconds: this.trueSeconds(), boundSeconds };
  }

  async until<T>(answer: Promise<T>): Promise<T> {
    let isAnswered = false;
    const answered = answer.then((value) => {
      isAnswered = true;
      return value;
    });
    for (let turn = 0; turn < 10_000; turn += 1) {
      await new Promise(setImmediate);
      if (isAnswered) return await answered;
      const next = this.#waiting.reduce<Waiting | undefined>(
        (first, other) => (first === undefined || other.dueMillis < first.dueMillis ? other : first),
        undefined,
      );
      if (next === undefined) throw new Error("no timer runs, and there is no answer");
      this.#waiting = this.#waiting.filter((other) => other !== next);
      this.sim.advanceMicros(next.dueMillis * 1000 - this.sim.nowMicros());
      next.run();
    }
    throw new Error("no answer after 10,000 timers");
  }
}

/** How far a sample is from the truth, seconds. */
export function errorOf(world: RtcWorld, sample: TimeSample): number {
  return sample.seconds - (world.startSeconds + sample.atMillis / 1000);
}
