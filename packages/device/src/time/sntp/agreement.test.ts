/** Agreement: what a majority cannot all be wrong about, whoever the rest are. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { findAgreement } from "./agreement.ts";

const now = 1_800_000_000;
const sample = (offset: number, boundSeconds: number) => ({
  atMillis: 5,
  seconds: now + offset,
  boundSeconds,
});

test("three that agree: the most exact one's time, and a bound that covers where two overlap", () => {
  const agreement = findAgreement([sample(0.03, 0.05), sample(0, 0.01), sample(-0.02, 0.04)]);

  assert.equal(agreement?.servers, 3);
  assert.ok(Math.abs((agreement?.sample.seconds ?? 0) - now) < 1e-6);
  // Two of [-0.02, 0.08], [-0.01, 0.01] and [-0.06, 0.02] overlap from -0.02 to 0.02.
  assert.ok(Math.abs((agreement?.sample.boundSeconds ?? 0) - 0.02) < 1e-6);
});

test("one of three a year off is outvoted", () => {
  const agreement = findAgreement([sample(31_536_000, 0.001), sample(0.01, 0.05), sample(0, 0.05)]);

  assert.equal(agreement?.servers, 2);
  assert.ok(Math.abs((agreement?.sample.seconds ?? 0) - now) < 0.05);
});

test("two of three a year off are told as two of three: more than that SNTP cannot say", () => {
  const agreement = findAgreement([sample(31_536_000, 0.05), sample(31_536_000, 0.05), sample(0, 0.05)]);

  assert.equal(agreement?.servers, 2);
});

test("three that contradict each other do not agree, nor two against two", () => {
  assert.equal(findAgreement([sample(0, 0.1), sample(10, 0.1), sample(20, 0.1)]), undefined);
  assert.equal(findAgreement([sample(0, 0.1), sample(0, 0.1), sample(10, 0.1), sample(10, 0.1)]), undefined);
});

test("two that contradict each other do not agree; one agrees with itself", () => {
  assert.equal(findAgreement([sample(0, 0.1), sample(10, 0.1)]), undefined);
  const alone = findAgreement([sample(0, 0.1)]);
  assert.equal(alone?.servers, 1);
  assert.ok(Math.abs((alone?.sample.boundSeconds ?? 0) - 0.1) < 1e-6);
});

test("a liar inside the majority's range does not narrow it by claiming to be exact", () => {
  const agreement = findAgreement([sample(0.04, 0.0001), sample(0, 0.05), sample(0.01, 0.05)]);

  const { seconds = 0, boundSeconds = 0 } = agreement?.sample ?? {};
  assert.ok(Math.abs(seconds - now) <= boundSeconds, "the true time is within the bound");
});

test("nobody agrees with nobody", () => {
  assert.equal(findAgreement([]), undefined);
});

test("if a majority is right, the true time is within the bound, whatever the others claim", () => {
  const honest = fc.record({
    error: fc.double({ min: -1, max: 1, noNaN: true }),
    boundSeconds: fc.double({ min: 0.002, max: 1.5, noNaN: true }),
  });
  const liar = fc.record({
    offset: fc.double({ min: -3, max: 3, noNaN: true }),
    boundSeconds: fc.double({ min: 0.002, max: 1.5, noNaN: true }),
  });
  fc.assert(
    fc.property(
      fc.array(honest, { minLength: 2, maxLength: 3 }),
      fc.array(liar, { maxLength: 1 }),
      (honestOnes, liars) => {
        const samples = [
          ...liars.map(({ offset, boundSeconds }) => sample(offset, boundSeconds)),
          ...honestOnes.map(({ error, boundSeconds }) => sample(error * boundSeconds, boundSeconds)),
        ];

        const agreement = findAgreement(samples);

        assert.ok(agreement !== undefined && agreement.servers * 2 > samples.length);
        const { seconds, boundSeconds } = agreement.sample;
        assert.ok(Math.abs(seconds - now) <= boundSeconds + 1e-6);
      },
    ),
  );
});
