import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { alertPpm, fittedPpmMin, RtcLedger, rtcPpmDefault } from "./rtc-ledger.ts";
import type { TimeSample } from "./time-sample.ts";

const start = 1_800_000_000;
const hour = 3_600;
const sample = (seconds: number, boundSeconds: number): TimeSample => ({
  atMillis: 0,
  seconds,
  boundSeconds,
});

/** A ledger of a chip of this drift, compared each hour for so many days with a reference that is off by up to its bound. */
function afterDays(days: number, ppm: number, boundSeconds = 0.02, error = () => 0): RtcLedger {
  const ledger = new RtcLedger(rtcPpmDefault);
  for (let age = 0; age <= days * 24 * hour; age += hour) {
    const shown = sample(start + age * (1 + ppm * 1e-6), 0.003);
    ledger.compared(shown, sample(start + age + error() * boundSeconds, boundSeconds), "majority", 25);
  }
  return ledger;
}

test("without a record a chip tells nothing, and neither does one that shows a time before its record", () => {
  const ledger = new RtcLedger(rtcPpmDefault);

  assert.equal(ledger.timeOf(sample(start, 0.003)), undefined);
  ledger.compared(sample(start + 100, 0.003), sample(start, 0.02), "signed", 25);
  assert.equal(ledger.timeOf(sample(start + 50, 0.003)), undefined);
  assert.ok(ledger.timeOf(sample(start + 101, 0.003)) !== undefined);
});

test("a chip that is ahead tells the right time, less and less surely", () => {
  const ledger = new RtcLedger(rtcPpmDefault);
  ledger.compared(sample(start + 100, 0.003), sample(start, 0.02), "signed", 25);

  const told = ledger.timeOf(sample(start + 100 + 86_400, 0.003));

  assert.equal(told?.seconds, start + 86_400);
  assert.ok(Math.abs((told?.boundSeconds ?? 0) - (0.02 + 0.003 + 0.003 + 0.432)) < 1e-9);
});

test("a fitted drift is taken off, and its bound is never better than a DS3231 over a change of temperature", () => {
  const { rateInForce, isDriftAlarming } = afterDays(5, -3.1);

  assert.ok(Math.abs(rateInForce.ppm + 3.1) < 0.05);
  assert.equal(rateInForce.boundPpm, fittedPpmMin);
  assert.equal(isDriftAlarming, false);
});

test("a fit that is no better than the datasheet changes nothing, unless it contradicts it", () => {
  const poor = afterDays(1.2, 3, 2);
  const contradicting = afterDays(1.2, 140, 2);

  assert.deepEqual(poor.rateInForce, { ppm: 0, boundPpm: rtcPpmDefault });
  assert.ok(contradicting.rateInForce.ppm > 100 && contradicting.rateInForce.boundPpm > rtcPpmDefault);
});

test("more than 10 ppm for certain is an alarm, 10 ppm within the bound is none", () => {
  assert.equal(afterDays(5, alertPpm + fittedPpmMin + 0.5).isDriftAlarming, true);
  assert.equal(afterDays(5, alertPpm + fittedPpmMin - 0.5).isDriftAlarming, false);
});

test("the record before a set is true of the chip as it was and as it will be", () => {
  fc.assert(
    fc.property(
      fc.double({ min: -5_000, max: 5_000, noNaN: true }),
      fc.double({ min: -1, max: 1, noNaN: true }),
      fc.constantFrom("set", "not set"),
      fc.integer({ min: 1, max: 1_000_000 }),
      (ahead, error, fate, age) => {
        const ledger = new RtcLedger(rtcPpmDefault);
        // The good time is off by its bound at most.
        const good = sample(start, 0.5);
        const truth = start + error * 0.5;
        ledger.widen(good, sample(truth + ahead, 0.003), "majority");

        const shownLater = (fate === "set" ? start : truth + ahead) + age;
        const told = ledger.timeOf(sample(shownLater, 0.003));

        if (told === undefined) return;
        assert.ok(Math.abs(told.seconds - (truth + age)) <= told.boundSeconds + 1e-6);
      },
    ),
  );
});

test("setting the chip keeps what is known of its drift, trimming it changes that by what it trims", () => {
  const ledger = afterDays(5, 4);

  ledger.wasSet(sample(start, 0.003), sample(start, 0.02), "signed");
  assert.ok(Math.abs(ledger.rateInForce.ppm - 4) < 0.05);
  ledger.trimmed(1, start);
  assert.ok(Math.abs(ledger.rateInForce.ppm - 3) < 0.05);
  assert.ok(ledger.rateInForce.boundPpm >= fittedPpmMin + 0.5);
});

test("whatever the drift within the datasheet and the references within their bounds, the true time is within what is told", () => {
  fc.assert(
    fc.property(
      fc.double({ min: -rtcPpmDefault, max: rtcPpmDefault, noNaN: true }),
      fc.double({ min: 0.001, max: 1, noNaN: true }),
      fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 0, max: 6 }),
      fc.integer({ min: 0, max: 60 * 86_400 }),
      (ppm, bound, errors, days, off) => {
        let turn = 0;
        const ledger = afterDays(days, ppm, bound, () => errors[turn++ % errors.length] ?? 0);
        const age = days * 24 * hour + off;

        const told = ledger.timeOf(sample(start + age * (1 + ppm * 1e-6), 0.003));

        assert.ok(told !== undefined);
        assert.ok(Math.abs(told.seconds - (start + age)) <= told.boundSeconds + 1e-6);
      },
    ),
    { numRuns: 200 },
  );
});
