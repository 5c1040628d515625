/**
 * Evidence that a key or a token is in more hands than one. It is shown and alarmed, and never blocks.
 *
 * Fed with authentic attempts alone, so a stranger can neither raise it nor fill its memory. Two signs:
 *
 * - `shared_key`: the key is used from one network, another, the first, another, the first again within ten
 *   minutes. One device in one place at a time would have to travel to and fro; a device that roams goes on.
 * - `forked_series`: of the tokens seen for the first time, those from one network agree among themselves on
 *   what time it is, those from another as well, they differ by minutes, and they come in turn, twice. One
 *   clock that is corrected can't return to what it said before.
 *
 * What looks the same and is honest: one router with two uplinks that deals out connections (shared_key). What
 * does not show: a thief in the device's own network, or one who uses the key once. `token_reused` needs no
 * history and is found where the token is known (`attempt-book.ts`).
 */
import { alarmIntervalMillis } from "./alarm.ts";
import type { EvidenceRecord } from "./authentication-record.ts";
import { BoundedMap } from "./bounded-map.ts";
import { networkOf } from "./network.ts";

/** Four moves to and fro within this are no travel. */
export const alternationMillis = 600_000;
/** Two series of one key that come in turn within this are held against each other. */
export const seriesMillis = 24 * 3_600_000;
/** Offsets of one clock stay within this; what a token waits before it is sent counts too. */
export const oneClockSecondsMax = 60;
/** Two clocks are told apart from this on. */
export const twoClocksSecondsMin = 300;
/** Keys whose trail is kept; below 1 KiB each. */
export const trailsMax = 16_384;
/** Findings remembered, so that none is told twice in {@link alarmIntervalMillis}. */
export const findingsRememberedMax = 16_384;

/** A key of a device signed what came from there. */
export interface Sighting {
  /** numId */
  readonly device: string;
  readonly keyFingerprint: string;
  readonly remoteAddress: string;
  readonly monotonicMillis: number;
  /** `iat + u - arrival`, where this token was never seen before. */
  readonly offsetSeconds?: number;
}

export interface Finding {
  readonly kind: EvidenceRecord["evidence"];
  /** The place known longer first. */
  readonly addresses: readonly [string, string];
}

interface Stay {
  readonly network: string;
  readonly address: string;
  readonly sinceMillis: number;
}

/** Tokens in a row from one network, and the offsets they span. */
interface Run extends Stay {
  least: number;
  most: number;
}

interface Trail {
  stays: readonly Stay[];
  runs: readonly Run[];
}

export class EvidenceDetector {
  readonly #trails = new BoundedMap<string, Trail>(trailsMax);
  readonly #told = new BoundedMap<string, number>(findingsRememberedMax);

  get sizes(): { readonly trails: number; readonly told: number } {
    return { trails: this.#trails.size, told: this.#told.size };
  }

  /** @returns what this sighting completes, and was not told of this device in the last ten minutes. */
  see(sighting: Sighting): readonly Finding[] {
    const { device, monotonicMillis } = sighting;
    const name = `${device}:${sighting.keyFingerprint}`;
    let trail = this.#trails.find(name);
    if (trail === undefined) {
      trail = { stays: [], runs: [] };
      this.#trails.set(name, trail);
    }
    const findings = [findAlternation(trail, sighting), findFork(trail, sighting)];
    return findings.filter(
      (finding) => finding !== undefined && this.mayTell(device, finding.kind, monotonicMillis),
    ) as readonly Finding[];
  }

  /** Once in ten minutes for a device and a kind; asking takes the turn. */
  mayTell(device: string, kind: Finding["kind"], nowMillis: number): boolean {
    const name = `${kind}:${device}`;
    const before = this.#told.find(name);
    if (before !== undefined && nowMillis - before < alarmIntervalMillis) return false;
    this.#told.set(name, nowMillis);
    return true;
  }
}

function findAlternation(trail: Trail, sighting: Sighting): Finding | undefined {
  const stay = stayOf(sighting);
  if (trail.stays.at(-1)?.network === stay.network) return undefined;
  trail.stays = [...trail.stays, stay].slice(-5);
  const [first, second, third, fourth, fifth] = trail.stays;
  if (first === undefined || second === undefined || fourth === undefined) return undefined;
  const returns = first.network === third?.network && first.network === fifth?.network;
  if (!returns || stay.sinceMillis - second.sinceMillis > alternationMillis) return undefined;
  return { kind: "shared_key", addresses: [first.address, fourth.address] };
}

function findFork(trail: Trail, sighting: Sighting): Finding | undefined {
  const offset = sighting.offsetSeconds;
  if (offset === undefined) return undefined;
  const stay = stayOf(sighting);
  const last = trail.runs.at(-1);
  if (last?.network !== stay.network) {
    trail.runs = [...trail.runs, { ...stay, least: offset, most: offset }].slice(-4);
  } else if (isOneClock([last, { least: offset, most: offset }])) {
    last.least = Math.min(last.least, offset);
    last.most = Math.max(last.most, offset);
  } else {
    // This clock was set: what came before says nothing about it any more.
    trail.runs = [{ ...stay, least: offset, most: offset }];
  }
  const [a, b, c, d] = trail.runs;
  if (a === undefined || b === undefined || c === undefined || d === undefined) return undefined;
  const inTurn = a.network === c.network && b.network === d.network;
  if (!inTurn || stay.sinceMillis - a.sinceMillis > seriesMillis) return undefined;
  if (!isOneClock([a, c]) || !isOneClock([b, d])) return undefined;
  const [one, other] = [spanOf([a, c]), spanOf([b, d])];
  const apart = Math.max(one.least - other.most, other.least - one.most);
  return apart >= twoClocksSecondsMin
    ? { kind: "forked_series", addresses: [a.address, b.address] }
    : undefined;
}

type Span = Pick<Run, "least" | "most">;

function spanOf(spans: readonly Span[]): Span {
  return {
    least: Math.min(...spans.map(({ least }) => least)),
    most: Math.max(...spans.map(({ most }) => most)),
  };
}

function isOneClock(spans: readonly Span[]): boolean {
  const { least, most } = spanOf(spans);
  return most - least <= oneClockSecondsMax;
}

function stayOf({ remoteAddress, monotonicMillis }: Sighting): Stay {
  return { network: networkOf(remoteAddress), address: remoteAddress, sinceMillis: monotonicMillis };
}
