import assert from "node:assert/strict";
import { test } from "node:test";
import { policyPresets, type RegistryPolicy } from "@mayfly/core/token";
import { DeviceRates } from "./device-rates.ts";

function rates(policy: Partial<RegistryPolicy>, devicesMax?: number) {
  const clock = { nowMillis: 0, monotonicMillis: () => clock.nowMillis };
  const of = (deviceNumId: string) => ({ deviceNumId, policy: { ...policyPresets.strict, ...policy } });
  return { clock, of, rates: new DeviceRates(clock, devicesMax) };
}

test("a device that is not limited is not even remembered", () => {
  const { rates: desk, of } = rates({});

  for (let n = 0; n < 1_000; n += 1) assert.equal(desk.takeMessage(of("1"), 256 * 1024), 0);

  assert.equal(desk.takeState(of("1")) + desk.takeConfig(of("1")) + desk.takeCommand(of("1")), 0);
  assert.equal(desk.size, 0);
});

test("a hundred messages go at once, the next one 10 ms later", () => {
  const { clock, rates: desk, of } = rates({ messagesPerSecond: 100 });
  for (let n = 0; n < 100; n += 1) assert.equal(desk.takeMessage(of("1"), 10), 0);

  assert.equal(desk.takeMessage(of("1"), 10), 10);
  clock.nowMillis = 10;
  assert.equal(desk.takeMessage(of("1"), 10), 0);
  assert.equal(desk.takeMessage(of("1"), 10), 10);
});

test("a message above a second's worth of bytes goes, and is waited for afterwards", () => {
  const { clock, rates: desk, of } = rates({ bytesPerSecond: 1_000 });

  assert.equal(desk.takeMessage(of("1"), 3_000), 0);
  assert.equal(desk.takeMessage(of("1"), 1), 2_001);
  clock.nowMillis = 2_001;
  assert.equal(desk.takeMessage(of("1"), 1), 0);
});

test("what waits is not counted", () => {
  const { clock, rates: desk, of } = rates({ messagesPerSecond: 1 });
  desk.takeMessage(of("1"), 1);

  for (let n = 0; n < 50; n += 1) assert.equal(desk.takeMessage(of("1"), 1), 1_000);

  clock.nowMillis = 1_000;
  assert.equal(desk.takeMessage(of("1"), 1), 0);
});

for (const [name, take] of [
  ["states", "takeState"],
  ["configs", "takeConfig"],
] as const) {
  test(`two ${name} go at once where one a second is allowed, and one a second goes for ever`, () => {
    const { clock, rates: desk, of } = rates({ statesPerSecond: 1, configsPerSecond: 1 });

    assert.deepEqual([desk[take](of("1")), desk[take](of("1")), desk[take](of("1"))], [0, 0, 1_000]);
    for (let second = 1; second <= 60; second += 1) {
      clock.nowMillis = second * 1_000;
      assert.equal(desk[take](of("1")), 0);
    }
  });
}

test("a hundred commands go at once where a hundred a second are allowed", () => {
  const { rates: desk, of } = rates({ commandsPerSecond: 100 });

  const waits = Array.from({ length: 101 }, () => desk.takeCommand(of("1")));

  assert.deepEqual([waits.slice(0, 100).every((wait) => wait === 0), waits[100]], [true, 10]);
});

test("one device's flood takes nothing from another", () => {
  const { rates: desk, of } = rates({ messagesPerSecond: 1 });
  for (let n = 0; n < 10; n += 1) desk.takeMessage(of("1"), 1);

  assert.equal(desk.takeMessage(of("2"), 1), 0);
});

test("who has rested is forgotten, who still owes is not", () => {
  const { clock, rates: desk, of } = rates({ messagesPerSecond: 1, bytesPerSecond: 1_000 });
  desk.takeMessage(of("owes"), 60_000);
  for (let n = 0; n < 100; n += 1) desk.takeMessage(of(`rested-${n}`), 1);
  clock.nowMillis = 10_000;

  for (let n = 0; n < 100; n += 1) desk.takeMessage(of(`new-${n}`), 1);

  assert.ok(desk.size <= 102, `${desk.size}`);
  assert.ok(desk.takeMessage(of("owes"), 1) > 0);
});

test("the devices remembered are bounded however many there are", () => {
  const { rates: desk, of } = rates({ messagesPerSecond: 1 }, 50);

  for (let n = 0; n < 500; n += 1) desk.takeMessage(of(`${n}`), 1);

  assert.equal(desk.size, 50);
});
