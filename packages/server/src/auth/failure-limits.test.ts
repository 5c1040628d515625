import assert from "node:assert/strict";
import { test } from "node:test";
import {
  FailureLimits,
  provenDevicesMax,
  provenFailuresMax,
  provenSourcesMax,
  sourceFailuresMax,
  sourceFailuresPerSecond,
  sourcesMax,
} from "./failure-limits.ts";

const honest = "192.0.2.1";
const elsewhere = "198.51.100.7";

/** The source fails in these names until it may check no more. */
function exhaust(limits: FailureLimits, source: string, nowMillis: number, name = "stranger"): number {
  let failures = 0;
  while (limits.mayCheck(source, name, nowMillis)) {
    limits.failed(source, name, nowMillis);
    failures += 1;
    assert.ok(failures <= 10_000);
  }
  return failures;
}

test("a source may fail so often at once, then so often a second", () => {
  const limits = new FailureLimits();

  const atOnce = exhaust(limits, elsewhere, 0);
  const afterASecond = exhaust(limits, elsewhere, 1_000);

  assert.deepEqual([atOnce, afterASecond], [sourceFailuresMax, sourceFailuresPerSecond]);
});

test("success costs nothing, however often", () => {
  const limits = new FailureLimits();

  for (let n = 0; n < sourceFailuresMax * 2; n += 1) limits.proved(honest, "7", 0);

  assert.equal(exhaust(limits, honest, 0, "7"), provenFailuresMax + sourceFailuresMax);
});

test("failing in a device's name from elsewhere costs the device nothing", () => {
  const limits = new FailureLimits();

  exhaust(limits, elsewhere, 0, "7");

  assert.equal(limits.mayCheck(elsewhere, "7", 0), false);
  assert.equal(limits.mayCheck(honest, "7", 0), true);
});

test("behind an attacker's address a device that proved its key there still gets in", () => {
  const limits = new FailureLimits();
  limits.proved(honest, "7", 0);

  exhaust(limits, honest, 0);

  assert.equal(limits.mayCheck(honest, "8", 0), false);
  assert.equal(limits.mayCheck(honest, "7", 0), true);
});

test("a reserve is used up only by failures in that very name from that very source, and fills again", () => {
  const limits = new FailureLimits();
  limits.proved(honest, "7", 0);
  exhaust(limits, honest, 0);

  const spent = exhaust(limits, honest, 0, "7");
  limits.proved(honest, "7", 0);

  assert.equal(spent, provenFailuresMax);
  assert.equal(limits.mayCheck(honest, "7", 0), false);
  exhaust(limits, honest, 1_000);
  assert.equal(limits.mayCheck(honest, "7", 1_000), true);
});

test("an attacker who fills every map with sources and names keeps no honest device out", () => {
  const limits = new FailureLimits();
  limits.proved(honest, "7", 0);
  exhaust(limits, honest, 0);

  for (let n = 0; n < sourcesMax * 2; n += 1) {
    limits.failed(`source ${n}`, `name ${n}`, 0);
  }
  // One device of the attacker's own, from everywhere.
  for (let n = 0; n < 100_000; n += 1) limits.proved(`source ${n}`, "666", 0);

  assert.deepEqual(limits.sizes, { sources: sourcesMax, provenDevices: 2 });
  assert.equal(limits.mayCheck(honest, "7", 0), true);
  assert.equal(limits.mayCheck(elsewhere, "8", 0), true);
});

test("a device has reserves at its latest sources only, and so many devices have any", () => {
  const limits = new FailureLimits();
  const sources = Array.from({ length: provenSourcesMax + 1 }, (_, n) => `192.0.2.${n}`);
  for (const source of sources) limits.proved(source, "7", 0);
  for (const source of sources) exhaust(limits, source, 0);

  const may = sources.map((source) => limits.mayCheck(source, "7", 0));
  for (let n = 0; n < provenDevicesMax + 5; n += 1) limits.proved(honest, `device ${n}`, 0);

  assert.deepEqual(may, [false, ...Array<boolean>(provenSourcesMax).fill(true)]);
  assert.equal(limits.sizes.provenDevices, provenDevicesMax);
});
