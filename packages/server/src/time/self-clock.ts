/**
 * Self-clock: the bridge's own clock, which distrusts the machine's.
 *
 * Each second wall is compared with monotonic time. What moves by at most a second is followed: NTP slews so. What
 * moves by more is a step, and a step says only that the clock was wrong before or is wrong now. It raises
 * `clock_self`, and the fleet is asked which: the timeline that was believed goes on (monotonic time carries it)
 * until the tokens of {@link witnessesMin} devices or more fit the wall. The question stays open while
 * `clock_self` is raised; each fresh token is evidence, and the belief may change. Nobody has ever read the wall of a
 * step that is not believed: what this clock says moves only by what was decided.
 *
 * Left to others: how well a timeline fits the tokens (`time-witnesses.ts`), deadlines (`mqtt/`), words (`host/`).
 */
import type { CancelTimer, Clock, NumericDate, Timers } from "@mayfly/core";
import { type TestimonyListener, type TimeTestimony, TimeWitnesses } from "./time-witnesses.ts";

/** What the machine's synchronisation service says of itself. */
export type Synchronisation = "synchronised" | "unsynchronised" | "unknown";

export type SelfClockEvent =
  /** The wall stepped. `believes`: which timeline was found right, `because` of what. */
  | {
      readonly kind: "stepped";
      readonly stepSeconds: number;
      readonly believes: "wall" | "former";
      readonly because: "few_witnesses" | "witnesses" | "undecided" | "came_back";
    }
  /** The belief changed, by so much: fresh tokens said so, or the machine's synchronisation service for seconds. */
  | {
      readonly kind: "reconsidered";
      readonly movedSeconds: number;
      readonly believes: "wall" | "former";
      readonly because: "witnesses" | "synchronised";
    }
  | { readonly kind: "synchronisation_lost" }
  /** `clock_self` is lowered. */
  | { readonly kind: "trusted_again" };

export interface SelfClockPorts {
  /** The machine's. */
  readonly clock: Clock;
  readonly timers: Timers;
  /** Answers at once with what it knows. Absent: nothing is known. */
  readonly synchronisation?: { state(): Synchronisation };
  /** At most two events each second. Must not throw. */
  readonly tell: (event: SelfClockEvent) => void;
}

/** Figures for metrics and health. */
export interface SelfClockStatus {
  /** False while `clock_self` is raised. */
  readonly isTrusted: boolean;
  /** Steps since the start, by what was believed at once. */
  readonly steps: { readonly wall: number; readonly former: number };
  /** The machine's wall clock less what is believed. */
  readonly wallAheadSeconds: number;
  readonly isSynchronisationLost: boolean;
}

export interface SelfClock extends Clock, TestimonyListener {
  /** What the bridge believes. Moves by more than slewing only when a step is believed. */
  wallSeconds(): NumericDate;
  /** May others be given this time? False while `clock_self` is raised. */
  readonly isTrusted: boolean;
  status(): SelfClockStatus;
  /** Calls back, at most once a second, when deadlines worked out before must be worked out again. */
  onRederive(listener: () => void): void;
  close(): void;
}

/** Wall against monotonic time is compared this often. */
export const sampleIntervalMillis = 1_000;
/** Both clocks are read within this, or the comparison is left out: the process was held up in between. */
export const readMillisMax = 100;
/** A difference up to this between two comparisons is followed: a second, and the error of reading. */
export const slewSecondsMax = 1 + readMillisMax / 2_000;
/** Deadlines are worked out again after this much slewing: half of the second they are kept to. */
export const rederiveSlewSeconds = 0.5;
/** Tokens are made seconds before they arrive: of a difference up to this a synchronised machine knows better. */
export const yieldSecondsMax = 10;
/** `clock_self` is lowered when wall and belief have agreed for this long. */
export const quietMillis = 300_000;

export function createSelfClock(ports: SelfClockPorts): SelfClock {
  return new DistrustfulClock(ports);
}

class DistrustfulClock implements SelfClock {
  readonly #ports: SelfClockPorts;
  readonly #witnesses = new TimeWitnesses();
  readonly #rederive: (() => void)[] = [];
  readonly #steps = { wall: 0, former: 0 };
  /** Offsets are wall less monotonic time, in seconds. This one: the machine's, when last compared. */
  #wall: number;
  /** The timeline before the last step, while there is a question; else undefined. */
  #former: number | undefined;
  #believes: "wall" | "former" = "wall";
  #isTrusted = true;
  #isSynchronisationLost = false;
  #lastSynchronisation: Synchronisation;
  /** Since when nothing gave cause for doubt; monotonic. */
  #quietSinceMillis: number;
  /** Slewed since deadlines were last worked out. */
  #slewedSeconds = 0;
  #cancel: CancelTimer;

  constructor(ports: SelfClockPorts) {
    const { clock } = ports;
    this.#ports = ports;
    this.#quietSinceMillis = clock.monotonicMillis();
    this.#wall = this.#readOffset() ?? clock.wallSeconds() - clock.monotonicMillis() / 1000;
    this.#lastSynchronisation = this.#readSynchronisation();
    this.#cancel = ports.timers.after(sampleIntervalMillis, () => this.#tick());
  }

  get isTrusted(): boolean {
    return this.#isTrusted;
  }

  monotonicMillis(): number {
    return this.#ports.clock.monotonicMillis();
  }

  wallSeconds(): NumericDate {
    return this.#believed + this.monotonicMillis() / 1000;
  }

  status(): SelfClockStatus {
    return {
      isTrusted: this.#isTrusted,
      steps: { ...this.#steps },
      wallAheadSeconds: this.#wall - this.#believed,
      isSynchronisationLost: this.#isSynchronisationLost,
    };
  }

  hear(testimony: TimeTestimony): void {
    this.#witnesses.hear(testimony, this.monotonicMillis());
  }

  onRederive(listener: () => void): void {
    this.#rederive.push(listener);
  }

  close(): void {
    this.#cancel();
  }

  get #believed(): number {
    return this.#believes === "wall" ? this.#wall : (this.#former ?? this.#wall);
  }

  #tick(): void {
    this.#cancel = this.#ports.timers.after(sampleIntervalMillis, () => this.#tick());
    const before = this.#believed;
    const wall = this.#readOffset();
    if (wall !== undefined) this.#compare(wall);
    this.#watchSynchronisation();
    this.#yieldSeconds();
    this.#noteMove(this.#believed - before);
    this.#calmDown();
  }

  #compare(wall: number): void {
    const before = this.#believed;
    const movedSeconds = wall - this.#wall;
    this.#wall = wall;
    if (Math.abs(movedSeconds) > slewSecondsMax) this.#stepped(movedSeconds, before);
    else if (this.#former !== undefined) this.#reconsider(this.#former);
  }

  #stepped(stepSeconds: number, before: number): void {
    this.#doubt();
    this.#former = before;
    this.#believes = "former";
    const because = this.#comeBack(before) ? "came_back" : this.#judgeStep(before);
    this.#witnesses.beginEra();
    this.#steps[this.#believes] += 1;
    this.#ports.tell({ kind: "stepped", stepSeconds, believes: this.#believes, because });
  }

  /** Wall and belief are together again: there is no question any more. */
  #comeBack(former: number): boolean {
    if (this.#believes === "wall" || Math.abs(this.#wall - former) > slewSecondsMax) return false;
    this.#believes = "wall";
    this.#former = undefined;
    return true;
  }

  /** At the step there are only witnesses of the time before it; without them the machine knows better than we. */
  #judgeStep(former: number): "few_witnesses" | "witnesses" | "undecided" {
    const fleet = this.#witnesses.offsetSeconds("all");
    const found = fleet === undefined ? "wall" : this.#timelineOf(fleet, former);
    this.#believes = found ?? "former";
    if (fleet === undefined) return "few_witnesses";
    return found === undefined ? "undecided" : "witnesses";
  }

  /** While the question is open: the tokens minted since say which it is, whatever was decided before. */
  #reconsider(former: number): void {
    if (this.#comeBack(former)) {
      this.#quietSinceMillis = this.monotonicMillis();
      return;
    }
    const fleet = this.#witnesses.offsetSeconds("fresh");
    if (fleet === undefined) return;
    const found = this.#timelineOf(fleet, former);
    if (found === undefined || found === this.#believes) return;
    // The next change of mind takes as many fresh tokens again.
    this.#witnesses.beginEra();
    this.#believe(found, "witnesses");
  }

  /** The timeline within half the step of what the fleet says; undefined where its tokens are too old for either. */
  #timelineOf(fleet: number, former: number): "wall" | "former" | undefined {
    const half = Math.abs(this.#wall - former) / 2;
    if (Math.abs(fleet - former) < half) return "former";
    return Math.abs(fleet - this.#wall) < half ? "wall" : undefined;
  }

  /** A service that is synchronised makes no mistake of seconds that lasts; a fleet that is slow to connect does. */
  #yieldSeconds(): void {
    if (this.#believes === "wall" || this.#lastSynchronisation !== "synchronised") return;
    if (Math.abs(this.#wall - this.#believed) > yieldSecondsMax || !this.#isQuiet) return;
    this.#believe("wall", "synchronised");
    this.#former = undefined;
  }

  #believe(believes: "wall" | "former", because: "witnesses" | "synchronised"): void {
    const before = this.#believed;
    this.#believes = believes;
    this.#quietSinceMillis = this.monotonicMillis();
    this.#ports.tell({ kind: "reconsidered", movedSeconds: this.#believed - before, believes, because });
  }

  #noteMove(movedSeconds: number): void {
    this.#slewedSeconds += movedSeconds;
    if (Math.abs(this.#slewedSeconds) < rederiveSlewSeconds) return;
    this.#slewedSeconds = 0;
    for (const listener of this.#rederive) listener();
  }

  #watchSynchronisation(): void {
    const state = this.#readSynchronisation();
    // A service that does not answer for a while has said nothing: what it said before stands.
    if (state === "unknown" || state === this.#lastSynchronisation) return;
    const isLost = this.#lastSynchronisation === "synchronised" && state === "unsynchronised";
    this.#lastSynchronisation = state;
    if (state === "synchronised") this.#isSynchronisationLost = false;
    if (!isLost) return;
    this.#isSynchronisationLost = true;
    this.#doubt();
    this.#ports.tell({ kind: "synchronisation_lost" });
  }

  #doubt(): void {
    this.#isTrusted = false;
    this.#quietSinceMillis = this.monotonicMillis();
  }

  #calmDown(): void {
    if (this.#isTrusted || this.#believes === "former" || this.#isSynchronisationLost) return;
    if (!this.#isQuiet) return;
    this.#isTrusted = true;
    this.#former = undefined;
    this.#ports.tell({ kind: "trusted_again" });
  }

  get #isQuiet(): boolean {
    return this.monotonicMillis() - this.#quietSinceMillis >= quietMillis;
  }

  #readSynchronisation(): Synchronisation {
    return this.#ports.synchronisation?.state() ?? "unknown";
  }

  /** Both clocks at one instant; undefined where the process was held up between the readings. */
  #readOffset(): number | undefined {
    const { clock } = this.#ports;
    const beforeMillis = clock.monotonicMillis();
    const wallSeconds = clock.wallSeconds();
    const afterMillis = clock.monotonicMillis();
    if (afterMillis - beforeMillis > readMillisMax) return undefined;
    return wallSeconds - (beforeMillis + afterMillis) / 2_000;
  }
}
