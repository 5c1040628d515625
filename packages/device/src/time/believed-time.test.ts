import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  aged,
  type BeliefSettings,
  type BelievedTime,
  distrusted,
  given,
  readinessAt,
  shownAt,
  slewPpm,
  syncedMillis,
  unbelieved,
  weigh,
  withFloorRaised,
} from "./believed-time.ts";
import { boundedStepSecondsMax, forwardSecondsMax, type SourceKind } from "./trust-rules.ts";

const build = 1_767_225_600;
const settings: BeliefSettings = { buildFloorSeconds: build, limitSeconds: 30, monotonicPpm: 100 };
const start = build + 100 * 86_400;

const tell = (
  before: BelievedTime,
  source: SourceKind,
  seconds: number,
  boundSeconds: number,
  nowMillis = 0,
  mayStep = false,
) =>
  weigh(
    before,
    { source, sample: { atMillis: nowMillis, seconds, boundSeconds } },
    { nowMillis, mayStep },
    settings,
  );
const synced = (boundSeconds = 0.1) =>
  tell(unbelieved(settings, 0, start), "ntp-agreed", start, boundSeconds).belief;

test("nothing is ready before a source was believed", () => {
  const belief = unbelieved(settings, 0, 0);

  assert.deepEqual(readinessAt(belief, 0, settings), { kind: "waiting", because: "no_answer" });
});

test("the uncertainty widens by what the monotonic clock may be off", () => {
  const readiness = readinessAt(synced(), 1_000_000, settings);

  assert.ok(readiness.kind === "ready");
  assert.equal(readiness.now, start + 1_000);
  assert.ok(Math.abs(readiness.uncertaintySeconds - 0.2) < 1e-9);
});

test("more than the limit of uncertainty is waiting, and the limit itself is not", () => {
  const belief = synced(29);

  assert.equal(readinessAt(belief, 10_000_000, settings).kind, "ready");
  assert.deepEqual(readinessAt(belief, 10_001_000, settings), { kind: "waiting", because: "too_uncertain" });
});

test("a difference of up to a second is slewed at 500 ppm, and owned up to meanwhile", () => {
  const { belief, steppedSeconds } = tell(synced(0.5), "ntp-agreed", start + 0.4, 0.01);

  const at = (millis: number) => shownAt(belief, millis, settings);

  assert.equal(steppedSeconds, 0);
  assert.ok(Math.abs((at(0)?.now ?? 0) - start) < 1e-6);
  assert.ok(Math.abs((at(0)?.uncertaintySeconds ?? 0) - 0.41) < 1e-6);
  assert.ok(Math.abs((at(100_000)?.now ?? 0) - start - 100 - (100 * slewPpm) / 1e6) < 1e-6);
  assert.ok(Math.abs((at(800_000)?.now ?? 0) - start - 800.4) < 1e-6);
});

test("a difference of more than a second, and any without a session, is a step", () => {
  const far = tell(synced(1.5), "ntp-agreed", start + 1.1, 0.01);
  const near = tell(synced(0.5), "ntp-agreed", start + 0.4, 0.01, 0, true);

  assert.ok(Math.abs(far.steppedSeconds - 1.1) < 1e-6);
  assert.ok(Math.abs((shownAt(far.belief, 0, settings)?.now ?? 0) - start - 1.1) < 1e-6);
  assert.ok(Math.abs(near.steppedSeconds - 0.4) < 1e-6);
});

test("where an iat would fall below the last, now is held, and its uncertainty covers that", () => {
  const before = tell(synced(2), "signed", start, 2).belief;
  const ready = readinessAt(before, 0, settings);
  assert.ok(ready.kind === "ready");
  const iat = Math.floor(ready.now) - Math.ceil(ready.uncertaintySeconds);

  const { belief } = tell(given(before, ready), "ntp-single", start - 6, 0.1);
  const held = readinessAt(belief, 0, settings);

  assert.ok(held.kind === "ready");
  assert.equal(Math.floor(held.now) - Math.ceil(held.uncertaintySeconds), iat);
  assert.ok(held.now + held.uncertaintySeconds >= start + 2);
});

test("a majority further back than its bound is minted with, and the floor goes down and says so", () => {
  const before = withFloorRaised(synced(), 0, settings);
  const ready = readinessAt(before, 0, settings);
  assert.ok(ready.kind === "ready");

  const verdict = tell(given(before, ready), "ntp-agreed", start - 3_600, 0.1);
  const readiness = readinessAt(verdict.belief, 0, settings);

  assert.ok(verdict.isFloorLowered);
  assert.equal(verdict.belief.floorSeconds, start - 3_601);
  assert.ok(readiness.kind === "ready" && readiness.now === start - 3_600);
});

test("one server and a hint never lower the floor", () => {
  const before = withFloorRaised(synced(), 0, settings);

  for (const source of ["ntp-single", "hint"] as const) {
    for (const back of [0.5, 5, 50, 5_000, 500_000]) {
      const { belief, isFloorLowered } = tell(before, source, start - back, 0.1);

      assert.equal(isFloorLowered, false);
      assert.equal(belief.floorSeconds, before.floorSeconds);
    }
  }
});

test("the floor never goes below the build, whoever says so", () => {
  const { belief } = tell(withFloorRaised(synced(), 0, settings), "signed", build + 0.5, 1);

  assert.equal(belief.floorSeconds, build);
  assert.ok(belief.iatSeconds >= build);
});

test("a chip that contradicts the monotonic clock stops signing until a majority answers", () => {
  const contradicted = tell(synced(), "rtc", start + 5, 0.1).belief;
  const again = tell(contradicted, "ntp-agreed", start, 0.1).belief;

  assert.deepEqual(readinessAt(contradicted, 0, settings), { kind: "waiting", because: "rtc_disagrees" });
  assert.equal(readinessAt(again, 0, settings).kind, "ready");
});

test("a chip that agrees does not take back what a hint moved", () => {
  const leaned = tell(synced(2), "hint", start + 1.5, 0.1, 0, true).belief;
  const { belief } = tell(leaned, "rtc", start + 0.2, 0.5, 0, true);

  const moved = (shownAt(leaned, 0, settings)?.now ?? 0) - start;
  assert.ok(moved > 1.4);
  assert.ok(Math.abs((shownAt(belief, 0, settings)?.now ?? 0) - start - moved) < 1e-6);
});

test("synced becomes holdover four hours after the last majority, and stays ready", () => {
  const belief = aged(synced(), syncedMillis + 1);

  assert.equal(aged(synced(), syncedMillis).trust, "synced");
  assert.equal(belief.trust, "holdover");
  assert.equal(readinessAt(belief, syncedMillis + 1, settings).kind, "ready");
});

test("in the 24 h after the floor a majority may move the clock forward once, not day after day", () => {
  let belief = withFloorRaised(synced(), 0, settings);
  for (let day = 1; day <= 10; day += 1)
    belief = tell(belief, "ntp-agreed", start + day * 80_000, 0.1).belief;

  assert.ok((shownAt(belief, 0, settings)?.now ?? 0) <= start + forwardSecondsMax);
});

// What may happen to a device, in any order. `error` and `far` are shares of what the source may be off.
const happenings = fc.array(
  fc.record({
    afterMillis: fc.integer({ min: 0, max: 3_600_000 }),
    kind: fc.constantFrom<SourceKind | "distrust" | "floor" | "age">(
      "rtc",
      "ntp-agreed",
      "ntp-single",
      "signed",
      "hint",
      "distrust",
      "floor",
      "age",
    ),
    error: fc.double({ min: -1, max: 1, noNaN: true }),
    lie: fc.double({ min: -200, max: 200, noNaN: true }),
    bound: fc.double({ min: 0.001, max: 20, noNaN: true }),
    isWatched: fc.boolean(),
    mayStep: fc.boolean(),
  }),
  { maxLength: 40 },
);
const ppms = fc.double({ min: -settings.monotonicPpm, max: settings.monotonicPpm, noNaN: true });

test("whatever honest sources tell in whatever order, and others lie, the true time is within what is given, and iat never falls", () => {
  fc.assert(
    fc.property(happenings, ppms, (events, ppm) => {
      let belief = unbelieved(settings, 0, start - 3_600);
      let nowMillis = 0;
      let lastIat = 0;
      for (const { afterMillis, kind, error, lie, bound, isWatched, mayStep } of events) {
        nowMillis += afterMillis;
        const trueSeconds = start + (nowMillis / 1000) * (1 + ppm * 1e-6);
        if (kind === "distrust") belief = distrusted(belief, "oscillator_stopped", nowMillis);
        else if (kind === "floor") belief = withFloorRaised(belief, nowMillis, settings);
        else if (kind === "age") belief = aged(belief, nowMillis);
        else {
          // What anybody could have forged may tell anything.
          const off = kind === "hint" || kind === "ntp-single" ? lie : error * bound;
          belief = tell(belief, kind, trueSeconds + off, bound, nowMillis, mayStep).belief;
        }
        if (!isWatched) continue;
        const readiness = readinessAt(belief, nowMillis, settings);
        if (readiness.kind === "waiting") continue;
        belief = given(belief, readiness);
        const iat = Math.floor(readiness.now) - Math.ceil(readiness.uncertaintySeconds);
        assert.ok(Math.abs(readiness.now - trueSeconds) <= readiness.uncertaintySeconds + 1e-6);
        assert.ok(readiness.uncertaintySeconds <= settings.limitSeconds);
        assert.ok(iat >= lastIat);
        lastIat = iat;
      }
    }),
    { numRuns: 2_000 },
  );
});

test("one dishonest source without a signature never moves the clock by more than the rules allow", () => {
  const liars = fc.constantFrom<SourceKind>("hint", "ntp-single", "ntp-agreed");
  const lies = fc.array(
    fc.record({
      seconds: fc.oneof(
        fc.double({ min: -90, max: 90, noNaN: true }),
        fc.double({ min: -400_000_000, max: 400_000_000, noNaN: true }),
      ),
      bound: fc.double({ min: 0, max: 1.5, noNaN: true }),
    }),
    { minLength: 1, maxLength: 20 },
  );
  fc.assert(
    fc.property(liars, lies, fc.boolean(), (liar, told, isSigned) => {
      let belief = tell(unbelieved(settings, 0, start), isSigned ? "signed" : "ntp-agreed", start, 2).belief;
      const { estimate } = belief;
      for (const { seconds, bound } of told) {
        const before = shownAt(belief, 0, settings)?.now ?? 0;
        const boundBefore = belief.estimate?.boundSeconds ?? 0;
        belief = tell(belief, liar, start + seconds, bound, 0, true).belief;
        const after = shownAt(belief, 0, settings)?.now ?? 0;

        if (liar === "ntp-agreed") {
          assert.ok(after <= start + forwardSecondsMax);
          if (isSigned) assert.ok(Math.abs(after - before) <= boundBefore + bound + 1e-6);
        } else {
          // However often it is told, the clock stays that near to where the trusted sources have it.
          const most = liar === "hint" ? 2 : boundedStepSecondsMax;
          assert.deepEqual(belief.estimate, estimate);
          assert.ok(Math.abs(after - start) <= Math.min(most, settings.limitSeconds) + 1e-6);
          assert.equal(readinessAt(belief, 0, settings).kind, "ready");
        }
      }
    }),
    { numRuns: 1_000 },
  );
});
