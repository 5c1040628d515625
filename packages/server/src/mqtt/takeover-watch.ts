/**
 * Takeover watch: devices whose connections push each other out.
 *
 * Two clients with one identity take the session from each other as fast as they can reconnect. Neither may be
 * refused, since both have a valid token and one of them is the device; but each further takeover within ten
 * minutes waits a second longer, up to five, so that the fight costs little, and one alarm names both addresses.
 * A planned renewal by a new connection is no takeover, and is not told here.
 */
import { BoundedMap } from "../auth/bounded-map.ts";

/** Takeovers of one device in {@link takeoverWindowMillis} that cost nothing. */
export const takeoversFree = 6;
export const takeoverWindowMillis = 600_000;
/** The longest a CONNECT waits. */
export const takeoverDelayMillisMax = 5_000;
const delayStepMillis = 1_000;
/** Devices remembered; one that is forgotten begins anew. */
export const takeoverDevicesMax = 16_384;
/** What is remembered of a device: enough takeovers to reach the longest delay. */
const takeoversKept = takeoversFree + takeoverDelayMillisMax / delayStepMillis;

interface Fight {
  /** Monotonic, oldest first. */
  readonly atMillis: readonly number[];
  readonly alarmedMillis: number;
}

export interface TakeoverVerdict {
  /** 0 for none. */
  readonly delayMillis: number;
  /** Raise the alarm: at most once in {@link takeoverWindowMillis} for a device. */
  readonly isAlarm: boolean;
}

export class TakeoverWatch {
  readonly #fights = new BoundedMap<string, Fight>(takeoverDevicesMax);

  get size(): number {
    return this.#fights.size;
  }

  /** One more takeover is about to happen. */
  note(deviceNumId: string, nowMillis: number): TakeoverVerdict {
    const before = this.#fights.find(deviceNumId);
    const since = nowMillis - takeoverWindowMillis;
    const recent = (before?.atMillis ?? []).filter((atMillis) => atMillis > since);
    const atMillis = [...recent, nowMillis].slice(-takeoversKept);
    const tooMany = atMillis.length - takeoversFree;
    const alarmedMillis = before?.alarmedMillis ?? Number.NEGATIVE_INFINITY;
    const isAlarm = tooMany > 0 && alarmedMillis <= since;
    this.#fights.set(deviceNumId, { atMillis, alarmedMillis: isAlarm ? nowMillis : alarmedMillis });
    return {
      delayMillis: Math.min(Math.max(tooMany, 0) * delayStepMillis, takeoverDelayMillisMax),
      isAlarm,
    };
  }
}
