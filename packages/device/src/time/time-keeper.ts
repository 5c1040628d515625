/**
 * Time keeper: the time of a device that keeps it by itself, from a clock chip, servers, the bridge's signature, and what
 * it knew before it was switched off. It is ready with an uncertainty, or it waits and says why.
 *
 * One timer, and one thing at a time of each kind: the chip is read, the network is asked, the store is written, each
 * when it is due. What they say goes through the rules of trust, and nothing else moves the clock.
 *
 * Left to others: the rules (`trust-rules.ts`), the belief (`believed-time.ts`), when each source is asked
 * (`network-sources.ts`), the chip (`rtc-keeper.ts`), the store (`kept-clock.ts`).
 */
import type { Clock, NumericDate, Timers } from "@mayfly/core";
import { OneTimer } from "../one-timer.ts";
import { AgentOptionError } from "../options.ts";
import type { DeviceTime, Readiness, SmallStore, TimeHint } from "../ports.ts";
import {
  aged,
  type BeliefSettings,
  type BelievedTime,
  distrusted,
  given,
  missing,
  type ReadyOrNot,
  readinessAt,
  shownAt,
  unbelieved,
  weigh,
  withFloorRaised,
} from "./believed-time.ts";
import { carried } from "./carried-sample.ts";
import { Correction, hintSample, outcomeOf } from "./correction.ts";
import { KeptClock } from "./kept-clock.ts";
import { NetworkSources, type NtpSource, type SignedSource } from "./network-sources.ts";
import { type ClockChip, type Reference, RtcKeeper, type RtcNews, type RtcState } from "./rtc-keeper.ts";
import { RtcLedger, rtcPpmDefault } from "./rtc-ledger.ts";
import type { TimeSample } from "./time-sample.ts";
import type { TimeEvent, TimeStatus } from "./time-status.ts";
import { waitingWords } from "./time-words.ts";
import type { Basis, Decision, SourceKind } from "./trust-rules.ts";

/** The chip is compared with the monotonic clock so often; in that time a clock of 100 ppm goes 0.2 s astray. */
export const rtcEveryMillis = 2_048_000;
/** After a read that failed. */
export const rtcAgainMillis = 64_000;
/** A reference older than this is not compared with the chip. */
export const referenceMillisMax = 60_000;
const wakeMillisMax = 3_600_000;

export interface TimeKeeperPorts {
  readonly clock: Pick<Clock, "monotonicMillis">;
  readonly timers: Timers;
  readonly store?: SmallStore;
  readonly rtc?: ClockChip;
  readonly ntp?: NtpSource;
  readonly signed?: SignedSource;
  /** Must not throw. */
  readonly tell?: (event: TimeEvent) => void;
  /** Does anybody mind a step of less than a second? Default: somebody does, and it is slewed. */
  readonly isConnected?: () => boolean;
}

export interface TimeKeeperOptions {
  /** When this program was built: no earlier time is believed. */
  readonly buildFloorSeconds: NumericDate;
  /**
   * A later floor by the word of whoever commissioned the device. The first time of a new device lies within a day after
   * the floor, or is signed.
   */
  readonly floorSeconds?: NumericDate;
  /** Nothing is signed with a clock less certain than this, whole, 1 to 300 s; default 30. Well below the bridge's skew. */
  readonly limitSeconds?: number;
  /** How far the monotonic clock may be off, 1 to 1,000 ppm; default 100, any crystal. */
  readonly monotonicPpm?: number;
  /** How far the clock chip may be off until its drift is fitted, 1 to 100 ppm; default 5. */
  readonly rtcPpm?: number;
  /** Whether the chip's aging offset is trimmed by the fitted drift; default "off". */
  readonly agingDiscipline?: "on" | "off";
}

export interface TimeKeeper extends DeviceTime {
  /** Once; sources are asked from now on. */
  start(): void;
  /** For good; what is under way comes to nothing. */
  stop(): void;
  status(): TimeStatus;
}

/** @throws {AgentOptionError} An option is out of range. */
export function createTimeKeeper(ports: TimeKeeperPorts, options: TimeKeeperOptions): TimeKeeper {
  return new Keeper(ports, options);
}

class Keeper implements TimeKeeper {
  readonly #ports: TimeKeeperPorts;
  readonly #settings: BeliefSettings;
  readonly #kept: KeptClock;
  readonly #rtc: RtcKeeper | undefined;
  readonly #network: NetworkSources;
  readonly #correction: Correction;
  readonly #timer: OneTimer;
  #belief: BelievedTime;
  #life: "new" | "running" | "stopped" = "new";
  /** The network is asked when the chip was read: an old record shall not contradict the news. */
  #isRtcRead: boolean;
  #isRtcBusy = false;
  #rtcDueMillis = Number.NEGATIVE_INFINITY;
  #rtcStateTold: RtcState = "not_read";
  #isDriftTold = false;
  #reference: Reference | undefined;

  constructor(ports: TimeKeeperPorts, options: TimeKeeperOptions) {
    this.#ports = ports;
    this.#settings = settingsOf(options);
    const { monotonicPpm } = this.#settings;
    this.#kept = new KeptClock(ports.store);
    const { value } = this.#kept;
    const rtcPpm = inRange("rtcPpm", options.rtcPpm ?? rtcPpmDefault, 1, 100);
    if (ports.rtc !== undefined) {
      const ledger = new RtcLedger(rtcPpm, value?.ledger);
      const aging = options.agingDiscipline ?? "off";
      this.#rtc = new RtcKeeper(ports.rtc, ledger, { aging, monotonicPpm });
    }
    this.#isRtcRead = this.#rtc === undefined;
    this.#network = new NetworkSources(ports, () => this.#now(), {
      told: (source, sample) => this.#told(source, sample),
      idle: () => this.#plan(),
    });
    this.#correction = new Correction(ports.timers);
    this.#timer = new OneTimer(ports.timers);
    const floorSeconds = Math.max(value?.floorSeconds ?? 0, options.floorSeconds ?? 0);
    this.#belief = unbelieved(this.#settings, this.#now(), floorSeconds);
  }

  start(): void {
    if (this.#life !== "new") return;
    this.#life = "running";
    if (this.#kept.isDamaged) this.#tell({ kind: "store_damaged" });
    this.#plan();
  }

  stop(): void {
    this.#life = "stopped";
    this.#timer.clear();
    this.#network.stop();
    this.#correction.end();
  }

  readiness(): Readiness {
    const readiness = this.#readiness();
    if (readiness.kind === "waiting") {
      return { kind: "waiting", because: waitingWords(readiness.because, this.#rtc?.state) };
    }
    this.#belief = given(this.#belief, readiness);
    return readiness;
  }

  uncertaintySecondsAt(monotonicMillis: number): number {
    const then = shownAt(this.#belief, Math.max(monotonicMillis, this.#now()), this.#settings);
    if (then === undefined) return Number.POSITIVE_INFINITY;
    const now = this.#readiness();
    return Math.max(then.uncertaintySeconds, now.kind === "ready" ? now.uncertaintySeconds : 0);
  }

  correct(hint: TimeHint | undefined, settle: (outcome: "corrected" | "unchanged") => void): void {
    const before = this.#readiness();
    const beganMillis = this.#now();
    const hasBegun = this.#correction.begin(settle, () => {
      if (hint !== undefined && this.#life === "running") this.#weigh("hint", hintSample(hint));
      return outcomeOf(before, this.#readiness(), (this.#now() - beganMillis) / 1000);
    });
    if (!hasBegun) return;
    if (this.#life === "running") {
      this.#network.askAgain();
      this.#rtcDueMillis = Math.min(this.#rtcDueMillis, beganMillis);
    }
    this.#timer.set(0, () => this.#plan());
  }

  status(): TimeStatus {
    const { trust, sinceMillis, source, basis, floorSeconds } = this.#belief;
    const readiness = this.#readiness();
    const shown = readiness.kind === "ready" ? readiness : shownAt(this.#belief, this.#now(), this.#settings);
    return {
      trust,
      forSeconds: (this.#now() - sinceMillis) / 1000,
      ...(readiness.kind === "ready" ? undefined : { waitingBecause: readiness.because }),
      ...(shown === undefined ? undefined : { now: shown.now, uncertaintySeconds: shown.uncertaintySeconds }),
      ...(source === undefined ? undefined : { source }),
      ...(basis === undefined ? undefined : { basis }),
      floorSeconds,
      ...this.#network.last,
      ...(this.#rtc === undefined ? undefined : { rtc: this.#rtc.status }),
      storeWrites: this.#kept.writes,
    };
  }

  #now(): number {
    return this.#ports.clock.monotonicMillis();
  }

  #tell(event: TimeEvent): void {
    this.#ports.tell?.(event);
  }

  #readiness(): ReadyOrNot {
    return readinessAt(this.#belief, this.#now(), this.#settings);
  }

  /** Does what is due, and sets the timer for what is not. */
  #plan(): void {
    const nowMillis = this.#now();
    if (this.#life === "running") {
      this.#become(aged(this.#belief, nowMillis));
      if (this.#dueOfRtc() <= nowMillis) this.#attendRtc();
      if (this.#dueOfStore() <= nowMillis) this.#attendStore();
      if (this.#dueOfNetwork() <= nowMillis) this.#network.attend();
    }
    const isAllHeard = this.#network.isIdle && !this.#isRtcBusy && this.#dueOfNetwork() > nowMillis;
    if (this.#correction.isUnderWay && isAllHeard) this.#correction.end();
    if (this.#life !== "running") return;
    const dueMillis = Math.min(this.#dueOfStore(), this.#dueOfRtc(), this.#dueOfNetwork());
    this.#timer.set(Math.min(Math.max(1, dueMillis - nowMillis), wakeMillisMax), () => this.#plan());
  }

  /** After the chip, for what it shows may have to be written. */
  #dueOfStore(): number {
    const isToWait = this.#belief.trust === "untrusted" || this.#isRtcBusy || this.#reference !== undefined;
    return isToWait ? Number.POSITIVE_INFINITY : this.#kept.dueMillis;
  }

  #dueOfRtc(): number {
    if (this.#rtc === undefined || this.#isRtcBusy) return Number.POSITIVE_INFINITY;
    return Math.max(this.#rtcDueMillis, this.#rtc.asideUntilMillis);
  }

  #dueOfNetwork(): number {
    return this.#isRtcRead ? this.#network.dueMillis : Number.POSITIVE_INFINITY;
  }

  #become(belief: BelievedTime): void {
    const { trust: before } = this.#belief;
    this.#belief = belief;
    const { trust, estimate, because } = belief;
    if (estimate !== undefined) this.#kept.believed(estimate.seconds - estimate.boundSeconds, this.#now());
    if (trust === before) return;
    this.#tell({ kind: "trust", trust, ...(trust === "untrusted" ? { because } : undefined) });
    if (trust !== "synced") this.#network.hurry("all");
  }

  /** A source on the network has answered. */
  #told(source: SourceKind, sample: TimeSample): void {
    const decision = this.#weigh(source, sample);
    const { basis } = this.#belief;
    const isBelieved = decision === "adopt" || decision === "sharpen";
    if (!isBelieved || basis === undefined) return;
    if (this.#rtc !== undefined && this.#rtc.asideUntilMillis <= this.#now()) {
      this.#reference = { sample, basis };
      this.#rtcDueMillis = Math.min(this.#rtcDueMillis, this.#now());
    }
    // What a signature says is not improved upon by others.
    if (source === "signed" && this.#correction.isUnderWay) this.#correction.end();
  }

  #weigh(source: SourceKind, sample: TimeSample, basis?: Basis): Decision {
    const mayStep = this.#correction.isUnderWay || this.#ports.isConnected?.() === false;
    const told = { source, sample, ...(basis === undefined ? undefined : { basis }) };
    const verdict = weigh(this.#belief, told, { nowMillis: this.#now(), mayStep }, this.#settings);
    this.#become(verdict.belief);
    if (Math.abs(verdict.steppedSeconds) > 0)
      this.#tell({ kind: "stepped", bySeconds: verdict.steppedSeconds, source });
    if (verdict.isFloorLowered)
      this.#tell({ kind: "floor_lowered", floorSeconds: verdict.belief.floorSeconds, source });
    if (verdict.decision === "ask-signed") {
      this.#network.hurry("signed");
      if (source === "ntp-agreed") this.#tell({ kind: "signature_wanted", source });
    }
    return verdict.decision;
  }

  #attendStore(): void {
    const rtc = this.#rtc;
    // Setting the chip takes the one write that an hour has.
    if (rtc?.isSetWanted === true && rtc.asideUntilMillis <= this.#now() && this.#good() !== undefined) {
      this.#attendRtc();
      return;
    }
    const done = (): void => this.#plan();
    this.#write().then(done, done);
  }

  async #write(): Promise<boolean> {
    this.#belief = withFloorRaised(this.#belief, this.#now(), this.#settings);
    const isKept = await this.#kept.write(this.#belief.floorSeconds, this.#rtc?.ledger, this.#now());
    if (!isKept) this.#tell({ kind: "store_failed" });
    return isKept;
  }

  #attendRtc(): void {
    const rtc = this.#rtc;
    if (rtc === undefined) return;
    this.#isRtcBusy = true;
    this.#rtcDueMillis = this.#now() + rtcEveryMillis;
    const done = (): void => {
      this.#isRtcBusy = false;
      this.#isRtcRead = true;
      this.#plan();
    };
    this.#workOnRtc(rtc).then(done, done);
  }

  async #workOnRtc(rtc: RtcKeeper): Promise<void> {
    const reference = this.#takeReference();
    const news = await rtc.attend(reference);
    if (this.#life !== "running") return;
    this.#heard(rtc, news);
    if (rtc.isSetWanted) await this.#setRtc(rtc);
    else if (reference !== undefined) await rtc.trim(reference.sample.seconds);
    this.#tellRtc(rtc);
  }

  #heard(rtc: RtcKeeper, news: RtcNews): void {
    const nowMillis = this.#now();
    if (news.kind === "time") {
      // A record of a signature counts as one where there is a signature to be had.
      const basis = this.#network.hasSigned ? news.basis : "majority";
      const decision = this.#weigh("rtc", news.sample, basis);
      if (decision === "distrust") rtc.contradicted(nowMillis);
      if (decision === "ignore") this.#become(missing(this.#belief, "behind_floor"));
      return;
    }
    if (rtc.state === "unusable")
      this.#rtcDueMillis = Math.min(this.#rtcDueMillis, nowMillis + rtcAgainMillis);
    if (news.kind === "lost") this.#become(distrusted(this.#belief, "oscillator_stopped", nowMillis));
    else if (rtc.state === "stopped") this.#become(missing(this.#belief, "oscillator_stopped"));
  }

  async #setRtc(rtc: RtcKeeper): Promise<void> {
    const good = this.#good();
    if (good === undefined || this.#kept.dueMillis > this.#now()) return;
    rtc.prepareSet(good);
    if (!(await this.#write())) return;
    const fresh = this.#good();
    if (fresh !== undefined && this.#life === "running") await rtc.set(fresh);
  }

  /** What a chip may be set to: the word of a signature or a majority, lately. */
  #good(): Reference | undefined {
    const { trust, estimate, basis } = this.#belief;
    if (trust !== "synced" || estimate === undefined || basis === undefined) return undefined;
    return { sample: carried(estimate, this.#now(), this.#settings.monotonicPpm), basis };
  }

  #takeReference(): Reference | undefined {
    const reference = this.#reference;
    this.#reference = undefined;
    if (reference === undefined || this.#now() - reference.sample.atMillis > referenceMillisMax)
      return undefined;
    return reference;
  }

  #tellRtc({ state, trouble, ledger }: RtcKeeper): void {
    if (state !== this.#rtcStateTold)
      this.#tell({ kind: "rtc", state, ...(trouble === undefined ? undefined : { trouble }) });
    this.#rtcStateTold = state;
    if (ledger.isDriftAlarming && !this.#isDriftTold)
      this.#tell({ kind: "drift_alert", ...ledger.rateInForce });
    this.#isDriftTold = ledger.isDriftAlarming;
  }
}

function settingsOf(options: TimeKeeperOptions): BeliefSettings {
  const { buildFloorSeconds, limitSeconds = 30, monotonicPpm = 100 } = options;
  inRange("limitSeconds", limitSeconds, 1, 300);
  if (!Number.isInteger(limitSeconds)) throw new AgentOptionError("limitSeconds must be whole");
  inRange("monotonicPpm", monotonicPpm, 1, 1_000);
  return { buildFloorSeconds, limitSeconds, monotonicPpm };
}

function inRange(name: string, value: number, least: number, most: number): number {
  if (value >= least && value <= most) return value;
  throw new AgentOptionError(`${name} must be from ${least} to ${most}, not ${value}`);
}
