import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RtcWorld } from "../../test/rtc-world.ts";
import { decideAging } from "./aging-discipline.ts";
import { type DriftEstimate, DriftFit } from "./drift-fit.ts";

const day = 86_400;
const now = 1_800_000_000;
const drift: DriftEstimate = { ppm: 3, boundPpm: 0.2, spanSeconds: day, temperatureSpanC: 4 };
const state = { aging: 0, now, trimmedSeconds: undefined, drift };

test("it is off unless it is wanted", () => {
  assert.deepEqual(decideAging("off", state), { kind: "leave", because: "off" });
});

for (const [what, changes, because] of [
  ["less than a day was fitted", { drift: undefined }, "no_estimate"],
  ["the drift is below half a ppm", { drift: { ...drift, ppm: -0.49 } }, "drift_is_small"],
  ["the fit cannot tell fast from slow", { drift: { ...drift, boundPpm: 3 } }, "drift_is_uncertain"],
  ["it was 11 °C warmer meanwhile", { drift: { ...drift, temperatureSpanC: 11 } }, "temperature_moved"],
  ["it was trimmed within a day", { trimmedSeconds: now - day + 1 }, "trimmed_lately"],
  ["a fast clock is slowed as far as can be", { aging: 127 }, "at_limit"],
  ["a slow clock is sped up as far as can be", { aging: -127, drift: { ...drift, ppm: -3 } }, "at_limit"],
] as const) {
  test(`the offset is left alone when ${what}`, () => {
    assert.deepEqual(decideAging("on", { ...state, ...changes }), { kind: "leave", because });
  });
}

for (const [what, changes, to] of [
  ["a clock 0.5 ppm fast is slowed by 5 steps", { drift: { ...drift, ppm: 0.5 } }, 5],
  ["a clock 0.64 ppm slow is sped up by 6", { drift: { ...drift, ppm: -0.64 } }, -6],
  ["a clock 3 ppm fast by 10, no more", {}, 10],
  ["near its end the offset goes to 127, no further", { aging: 120 }, 127],
  ["after a day it may be trimmed again", { trimmedSeconds: now - day }, 10],
  ["a trim a year ahead holds nobody up", { trimmedSeconds: now + 365 * day }, 10],
] as const) {
  test(what, () => {
    const aging = "aging" in changes ? changes.aging : 0;

    assert.deepEqual(decideAging("on", { ...state, ...changes }), { kind: "trim", from: aging, to });
  });
}

test("a trim is 1 to 10 steps, stays within ± 127 and works against the drift", () => {
  fc.assert(
    fc.property(
      fc.double({ min: -200, max: 200, noNaN: true }),
      fc.integer({ min: -128, max: 127 }),
      (ppm, aging) => {
        const decision = decideAging("on", { ...state, aging, drift: { ...drift, ppm } });

        if (decision.kind === "leave") return;
        const steps = decision.to - decision.from;
        assert.ok(steps !== 0 && Math.abs(steps) <= 10 && Math.abs(decision.to) <= 127);
        assert.ok(Math.sign(steps) === Math.sign(ppm));
      },
    ),
  );
});

for (const errorPpm of [8, -8]) {
  test(`a crystal ${errorPpm} ppm off comes under 0.5 ppm within ten days, and is then left alone`, async () => {
    const world = new RtcWorld({ startsAtSeconds: now, crystal: { errorPpm } });
    const fit = new DriftFit();
    let trimmedSeconds: number | undefined;
    const trims: number[] = [];
    /** Of each day's end: how fast the clock truly runs. */
    const left: number[] = [];

    for (let hours = 1; hours <= 14 * 24; hours += 1) {
      world.sim.advanceMicros(3_600e6);
      const reading = await world.until(world.rtc.readPhase());
      assert.ok(reading.kind === "read");
      // A reference 5 ms off one way and then the other.
      const refSeconds =
        world.startSeconds + reading.sample.atMillis / 1000 + (hours % 2 === 0 ? 0.005 : -0.005);
      fit.add({
        refSeconds,
        aheadSeconds: reading.sample.seconds - refSeconds,
        boundSeconds: reading.sample.boundSeconds + 0.005,
        temperatureC: reading.temperatureC,
      });
      const decision = decideAging("on", {
        aging: reading.aging,
        now: refSeconds,
        trimmedSeconds,
        drift: fit.estimate(),
      });
      if (hours % 24 === 0) left.push(Math.abs(world.sim.truePpm()));
      if (decision.kind === "leave") continue;
      const answer = await world.until(world.rtc.setAging(decision.to));
      assert.deepEqual(answer, { kind: "aging_set", previousAging: decision.from });
      trims.push(decision.to - decision.from);
      trimmedSeconds = refSeconds;
      fit.restart();
    }

    assert.ok(Math.max(...left.slice(9)) < 0.5, left.join(" "));
    assert.ok(
      trims.length <= 9 && trims.every((steps) => Math.sign(steps) === Math.sign(errorPpm)),
      trims.join(" "),
    );
  });
}
