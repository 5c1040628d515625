import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { alarmIntervalMillis } from "./alarm.ts";
import {
  alternationMillis,
  EvidenceDetector,
  findingsRememberedMax,
  oneClockSecondsMax,
  seriesMillis,
  trailsMax,
  twoClocksSecondsMin,
} from "./evidence.ts";

const home = "192.0.2.1";
const thief = "198.51.100.7";
const minute = 60_000;

interface Seen {
  readonly at: number;
  readonly from: string;
  readonly offset?: number;
  readonly key?: string;
}

/** What is found, as `minute kind`. */
function watch(sightings: readonly Seen[], detector = new EvidenceDetector()): readonly string[] {
  return sightings.flatMap(({ at, from, offset, key = "k" }) =>
    detector
      .see({
        device: "7",
        keyFingerprint: key,
        remoteAddress: from,
        monotonicMillis: at,
        ...(offset === undefined ? {} : { offsetSeconds: offset }),
      })
      .map(({ kind, addresses }) => `${at / minute} ${kind} ${addresses.join(" ")}`),
  );
}

const inTurn = (count: number, everyMillis: number): readonly Seen[] =>
  Array.from({ length: count }, (_, n) => ({ at: n * everyMillis, from: n % 2 === 0 ? home : thief }));

test("a key that is used from two networks in turn is shared: at the fourth change within ten minutes", () => {
  assert.deepEqual(watch(inTurn(5, minute)), [`4 shared_key ${home} ${thief}`]);
  assert.deepEqual(watch(inTurn(4, minute)), []);
});

test("the four changes must lie within ten minutes", () => {
  const everyMillis = alternationMillis / 3;

  assert.equal(watch(inTurn(5, everyMillis)).length, 1);
  assert.deepEqual(watch(inTurn(50, everyMillis + 1)), []);
});

test("two keys of one device, each in its place, are no shared key", () => {
  const sightings = inTurn(20, minute).map((seen) => ({ ...seen, key: seen.from }));

  assert.deepEqual(watch(sightings), []);
});

test("a finding is told once in ten minutes for a device and a kind", () => {
  const detector = new EvidenceDetector();

  const told = watch(inTurn(40, minute), detector);

  assert.deepEqual(
    told.map((line) => line.split(" ")[0]),
    [4, 4 + alarmIntervalMillis / minute, 24, 34].map(String),
  );
});

/** Tokens of two clocks, hourly, in turn. */
const series = (offsets: readonly [number, number], count = 4, everyMillis = 30 * minute): readonly Seen[] =>
  Array.from({ length: count }, (_, n) => ({
    at: n * everyMillis,
    from: n % 2 === 0 ? home : thief,
    offset: offsets[n % 2] ?? 0,
  }));

test("two series of tokens in turn that no one clock can have issued are a fork", () => {
  assert.deepEqual(watch(series([0, -twoClocksSecondsMin])), [`90 forked_series ${home} ${thief}`]);
  assert.deepEqual(watch(series([twoClocksSecondsMin, 0])), [`90 forked_series ${home} ${thief}`]);
});

test("two series are no fork when their clocks could be one, or when they are more than a day apart", () => {
  assert.deepEqual(watch(series([0, twoClocksSecondsMin - 1], 20)), []);
  assert.equal(watch(series([0, 999], 4, seriesMillis / 3)).length, 1);
  assert.deepEqual(watch(series([0, 999], 20, seriesMillis / 3 + 1)), []);
});

test("series that do not agree with themselves prove nothing", () => {
  const wild = series([0, 999], 20).map((seen, n) => ({ ...seen, offset: n * (oneClockSecondsMax + 1) }));

  assert.deepEqual(watch(wild), []);
});

test("an honest device that roams, renews early and has its clock set back once raises nothing", () => {
  const places = fc.constantFrom(home, thief, "203.0.113.9", "2001:db8:1::1", "2001:db8:2::1");
  // It stays at least 3 min 21 s in a place, as a device that is carried does.
  const stays = fc.array(fc.tuple(places, fc.integer({ min: 201_000, max: 5 * 3_600_000 })), {
    minLength: 1,
    maxLength: 40,
  });
  const renewals = fc.array(fc.integer({ min: 10, max: 3_300 }), { minLength: 1, maxLength: 60 });
  const honest = fc.record({
    stays,
    renewals,
    correctionAt: fc.nat(60),
    aheadSeconds: fc.integer({ min: 0, max: 100_000 }),
    delays: fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 60, maxLength: 60 }),
  });
  fc.assert(
    fc.property(honest, ({ stays, renewals, correctionAt, aheadSeconds, delays }) => {
      const sightings: Seen[] = [];
      let at = 0;
      let renewal = 0;
      let renewalAt = 0;
      for (const [from, stayMillis] of stays) {
        const end = at + stayMillis;
        // It arrives with the token it has.
        sightings.push({ at, from });
        while (renewalAt < end && renewal < renewals.length) {
          const offset = (renewal < correctionAt ? aheadSeconds : 0) - (delays[renewal] ?? 0);
          sightings.push({ at: Math.max(at, renewalAt), from, offset });
          renewalAt += (renewals[renewal] ?? 0) * 1000;
          renewal += 1;
        }
        at = end;
      }

      assert.deepEqual(watch(sightings), []);
    }),
    { numRuns: 500 },
  );
});

test("trails and findings have a maximum", () => {
  const detector = new EvidenceDetector();

  for (let n = 0; n < trailsMax + 5; n += 1) {
    const place = { keyFingerprint: "k", remoteAddress: home, monotonicMillis: 0 };
    detector.see({ device: `${n}`, ...place });
    detector.mayTell(`${n}`, "shared_key", 0);
  }

  assert.deepEqual(detector.sizes, { trails: trailsMax, told: findingsRememberedMax });
});
