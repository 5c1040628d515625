import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { smallValueBytesMax } from "../ports.ts";
import { clockValueBytes, decodeClockValue, encodeClockValue } from "./clock-value.ts";
import { DriftFit } from "./drift-fit.ts";
import type { RtcLedgerState } from "./rtc-ledger.ts";

const numbers = fc.double({ min: -1e10, max: 1e10, noNaN: true, noDefaultInfinity: true });
const positive = fc.double({ min: 0, max: 1e6, noNaN: true });
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const plain = { noNullPrototype: true };
const record = fc.record(
  {
    refSeconds: numbers,
    aheadSeconds: numbers,
    boundSeconds: positive,
    basis: fc.constantFrom("signed" as const, "majority" as const),
  },
  plain,
);
const rate = fc.record({ ppm: numbers, boundPpm: positive }, plain);

function fitOfDays(days: number): DriftFit {
  const fit = new DriftFit();
  for (let day = 0; day < days; day += 1)
    fit.add({
      refSeconds: 1_800_000_000 + day * 86_400,
      aheadSeconds: day * 0.1,
      boundSeconds: 0.02,
      temperatureC: 20,
    });
  return fit;
}

const full: RtcLedgerState = {
  record: { refSeconds: 1_800_000_000, aheadSeconds: 0.25, boundSeconds: 0.02, basis: "signed" },
  rate: { ppm: 1.2, boundPpm: 2 },
  trimmedSeconds: 1_799_000_000,
  fit: fitOfDays(4),
};

test("what is written is what is read", () => {
  fc.assert(
    fc.property(
      numbers,
      maybe(record),
      maybe(rate),
      maybe(numbers),
      fc.integer({ min: 0, max: 9 }),
      (floorSeconds, aRecord, aRate, trimmedSeconds, days) => {
        const ledger = { record: aRecord, rate: aRate, trimmedSeconds, fit: fitOfDays(days) };

        const read = decodeClockValue(encodeClockValue(floorSeconds, ledger));

        assert.ok(read !== undefined);
        const { fit, ...rest } = read.ledger;
        assert.deepEqual(
          { floorSeconds: read.floorSeconds, ...rest, bytes: fit.bytes },
          { floorSeconds, record: aRecord, rate: aRate, trimmedSeconds, bytes: ledger.fit.bytes },
        );
      },
    ),
  );
});

test("a device without a clock chip keeps its floor, and a chip that is added begins with nothing", () => {
  const read = decodeClockValue(encodeClockValue(1_800_000_000, undefined));

  assert.equal(read?.floorSeconds, 1_800_000_000);
  assert.deepEqual(
    [read?.ledger.record, read?.ledger.rate, read?.ledger.fit.samples],
    [undefined, undefined, 0],
  );
});

test("every truncation and every flipped bit reads as nothing", () => {
  const bytes = encodeClockValue(1_800_000_000, full);
  assert.equal(bytes.length, clockValueBytes);
  assert.ok(bytes.length <= smallValueBytesMax);

  for (let length = 0; length < bytes.length; length += 1)
    assert.equal(decodeClockValue(bytes.slice(0, length)), undefined);
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const damaged = bytes.slice();
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.equal(decodeClockValue(damaged), undefined, `bit ${bit}`);
  }
});
