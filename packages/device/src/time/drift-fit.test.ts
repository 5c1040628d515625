import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DriftFit, type DriftSample, decodeDriftFit, encodeDriftFit } from "./drift-fit.ts";
import { driftSamplesMax, driftSpacingSeconds } from "./drift-samples.ts";

const start = 1_800_000_000;
const hour = 3_600;
const day = 24 * hour;

const sampleAt = (
  seconds: number,
  { ppm = 0, error = 0, bound = 0.02, temperatureC = 25 } = {},
): DriftSample => ({
  refSeconds: start + seconds,
  aheadSeconds: (ppm * seconds) / 1e6 + error,
  boundSeconds: bound,
  temperatureC,
});
const fitOf = (samples: readonly DriftSample[]): DriftFit => {
  const fit = new DriftFit();
  for (const sample of samples) fit.add(sample);
  return fit;
};
/** Errors are shares of the bound, often the whole of it: the corners are the worst. */
const share = fc.oneof(fc.constantFrom(-1, 1), fc.double({ min: -1, max: 1, noNaN: true }));
const steps = fc.array(
  fc.record({
    gap: fc.integer({ min: 1, max: 40 }).map((share) => (share * 2 * day) / 40),
    bound: fc.double({ min: 0, max: 1, noNaN: true }),
    share,
  }),
  { minLength: 2, maxLength: 40 },
);
const samplesOf = (
  ppm: number,
  offset: number,
  taken: readonly { readonly gap: number; readonly bound: number; readonly share: number }[],
): readonly DriftSample[] => {
  let seconds = 0;
  return taken.map(({ gap, bound, share: of }) => {
    seconds += gap;
    return sampleAt(seconds, { ppm, error: offset + of * bound, bound });
  });
};

test("the true drift lies within value ± bound, whatever the errors of the samples within their bounds", () => {
  let estimates = 0;
  fc.assert(
    fc.property(
      fc.double({ min: -100, max: 100, noNaN: true }),
      fc.double({ min: -100, max: 100, noNaN: true }),
      steps,
      (ppm, offset, taken) => {
        const estimate = fitOf(samplesOf(ppm, offset, taken)).estimate();

        if (estimate === undefined) return;
        estimates += 1;
        assert.ok(Math.abs(estimate.ppm - ppm) <= estimate.boundPpm, JSON.stringify(estimate));
      },
    ),
    { numRuns: 1_000 },
  );
  assert.ok(estimates > 500);
});

test("no sample within its bound is ever called an outlier while the drift stays", () => {
  fc.assert(
    fc.property(fc.double({ min: -100, max: 100, noNaN: true }), steps, (ppm, taken) => {
      const fit = new DriftFit();

      for (const sample of samplesOf(ppm, 0, taken)) assert.equal(fit.add(sample), "taken");
    }),
    { numRuns: 500 },
  );
});

test("two ends of 20 ms give 0.47 ppm after a day; of half a second, 1.93 ppm after six", () => {
  const day1 = fitOf([sampleAt(0), sampleAt(day)]).estimate();
  const day6 = fitOf([sampleAt(0, { bound: 0.5 }), sampleAt(6 * day, { bound: 0.5 })]).estimate();

  assert.deepEqual([day1?.ppm, day1?.boundPpm.toFixed(2), day6?.boundPpm.toFixed(2)], [0, "0.47", "1.93"]);
});

test("less than a day tells nothing", () => {
  assert.equal(fitOf([sampleAt(0), sampleAt(day - 1)]).estimate(), undefined);
  assert.ok(fitOf([sampleAt(0), sampleAt(day)]).estimate());
  assert.equal(new DriftFit().estimate(), undefined);
});

test("hourly samples for a month are 16 at most, and span a week and more", () => {
  const fit = new DriftFit();
  let most = 0;
  for (let seconds = 0; seconds < 30 * day; seconds += hour) {
    fit.add(sampleAt(seconds, { ppm: 3 }));
    most = Math.max(most, fit.samples);
  }

  const estimate = fit.estimate();

  assert.equal(most, driftSamplesMax);
  assert.ok(estimate && estimate.spanSeconds >= (driftSamplesMax - 2) * driftSpacingSeconds);
  assert.ok(Math.abs(estimate.ppm - 3) < 1e-3 && estimate.boundPpm < 0.15, JSON.stringify(estimate));
});

test("a drift that wanders widens the bound", () => {
  const steady = [0, 1, 2, 3].map((days) => sampleAt(days * day, { bound: 0.001 }));
  const wandering = steady.map((sample, index) => ({
    ...sample,
    aheadSeconds: index % 2 === 0 ? 0 : 0.1,
  }));

  const [narrow, wide] = [fitOf(steady).estimate(), fitOf(wandering).estimate()];

  assert.ok(narrow && wide && wide.boundPpm > 10 * narrow.boundPpm);
});

test("a sample far from the line is left out, and the next good one is taken", () => {
  const fit = fitOf([sampleAt(0), sampleAt(day), sampleAt(2 * day)]);
  const before = fit.estimate();

  const outcomes = [
    fit.add(sampleAt(3 * day, { error: 1 })),
    fit.add(sampleAt(3 * day + 1, { error: -86_400 })),
    fit.estimate(),
    fit.add(sampleAt(3 * day + 2)),
    fit.add(sampleAt(4 * day, { error: 1 })),
  ];

  assert.deepEqual(outcomes, ["outlier", "outlier", before, "taken", "outlier"]);
});

test("three outliers in a row begin a new fit with the third", () => {
  const fit = fitOf([sampleAt(0), sampleAt(day), sampleAt(2 * day)]);

  const outcomes = [1, 2, 3].map((hours) => fit.add(sampleAt(2 * day + hours * hour, { error: 10 })));

  assert.deepEqual([...outcomes, fit.samples], ["outlier", "outlier", "restarted", 1]);
  assert.equal(fit.add(sampleAt(4 * day, { error: 10 })), "taken");
  assert.ok(Math.abs(fit.estimate()?.ppm ?? 1) < 1e-6);
});

test("a second sample steeper than any crystal, and one that is not later, are outliers", () => {
  const fit = fitOf([sampleAt(day)]);

  assert.equal(fit.add(sampleAt(2 * day, { error: 20 })), "outlier");
  assert.equal(fit.add(sampleAt(day)), "outlier");
  assert.equal(fit.samples, 1);
});

test("what cannot be kept is no sample: times before 2000, NaN, bounds over a minute, half an hour's difference", () => {
  const fit = new DriftFit();
  const whole = sampleAt(0);

  const outcomes = [
    { ...whole, refSeconds: 946_684_799 },
    { ...whole, refSeconds: Number.NaN },
    { ...whole, aheadSeconds: 2_200 },
    { ...whole, aheadSeconds: Number.NaN },
    { ...whole, boundSeconds: 60.1 },
    { ...whole, boundSeconds: -1 },
    { ...whole, boundSeconds: Number.NaN },
  ].map((sample) => fit.add(sample));

  assert.deepEqual(new Set(outcomes), new Set(["outlier"]));
  assert.equal(fit.samples, 0);
});

test("temperatures of samples that were replaced count in the span", () => {
  const fit = fitOf([
    sampleAt(0, { temperatureC: 20 }),
    sampleAt(hour, { temperatureC: 31 }),
    sampleAt(2 * hour, { temperatureC: 8.4 }),
    sampleAt(day, { temperatureC: 20 }),
  ]);

  assert.deepEqual([fit.samples, fit.estimate()?.temperatureSpanC], [2, 23]);
});

test("a restart forgets all", () => {
  const fit = fitOf([sampleAt(0), sampleAt(day)]);

  fit.restart();

  assert.deepEqual([fit.samples, fit.estimate()], [0, undefined]);
  assert.equal(fit.add(sampleAt(-day, { error: 1_000 })), "taken");
});

test("a fit stored and read back goes on as if nothing had happened, in at most 256 bytes", () => {
  fc.assert(
    fc.property(steps, fc.integer({ min: 0, max: 40 }), (taken, cut) => {
      const samples = samplesOf(7, 0.5, taken);
      const whole = fitOf(samples);
      const stored = encodeDriftFit(fitOf(samples.slice(0, cut)));

      const resumed = decodeDriftFit(stored);
      for (const sample of samples.slice(cut)) resumed?.add(sample);

      assert.ok(stored.length <= 256);
      assert.deepEqual(resumed?.estimate(), whole.estimate());
    }),
    { numRuns: 200 },
  );
});

test("bytes of no fit are none: cut short, of another version, too many samples, times that go back, bounds of 0", () => {
  const stored = encodeDriftFit(fitOf([sampleAt(0), sampleAt(day)]));
  const changed = (index: number, value: number): Uint8Array => {
    const bytes = stored.slice();
    bytes[index] = value;
    return bytes;
  };
  const bad = [
    stored.subarray(0, 227),
    new Uint8Array(0),
    changed(0, 2),
    changed(1, driftSamplesMax + 1),
    changed(1, 3),
    changed(3, 1),
    // The second sample's time, and the first one's bound and warmest.
    changed(4 + 14, 0),
    changed(4 + 8, 0xff),
    changed(4 + 13, 0x80),
  ];

  assert.deepEqual(
    bad.map((bytes) => decodeDriftFit(bytes)),
    bad.map(() => undefined),
  );
  assert.ok(decodeDriftFit(stored));
});
