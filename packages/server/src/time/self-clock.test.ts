import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { VirtualTime } from "../../test/bridge-world.ts";
import {
  createSelfClock,
  quietMillis,
  readMillisMax,
  rederiveSlewSeconds,
  type SelfClockEvent,
  type Synchronisation,
  sampleIntervalMillis,
  slewSecondsMax,
  yieldSecondsMax,
} from "./self-clock.ts";
import { witnessesMin } from "./time-witnesses.ts";

/** A machine whose wall clock begins `aheadSeconds` ahead of the world's, and its self-clock. */
class Machine {
  readonly time = new VirtualTime();
  readonly events: SelfClockEvent[] = [];
  rederived = 0;
  synchronisation: Synchronisation = "unknown";
  readonly clock;
  #devices = 0;

  constructor(aheadSeconds = 0) {
    this.time.stepWall(aheadSeconds);
    this.clock = createSelfClock({
      clock: this.time,
      timers: this.time,
      synchronisation: { state: () => this.synchronisation },
      tell: (event) => this.events.push(event),
    });
    this.clock.onRederive(() => {
      this.rederived += 1;
    });
  }

  /** So many devices connect with tokens they made `ageSeconds` ago, by a right clock. */
  hear(count: number, ageSeconds = 0): void {
    for (let i = 0; i < count; i++) {
      this.#devices += 1;
      this.clock.hear({
        deviceNumId: `${this.#devices}`,
        issuedAtSeconds: Math.floor(this.time.trueSeconds() - ageSeconds),
        uncertaintySeconds: 0,
      });
    }
  }

  /** What the bridge believes less what is true. */
  get errorSeconds(): number {
    return this.clock.wallSeconds() - this.time.trueSeconds();
  }

  async step(seconds: number): Promise<void> {
    this.time.stepWall(seconds);
    await this.time.advance(sampleIntervalMillis);
  }
}

const step = fc
  .tuple(fc.double({ min: Math.log(2), max: Math.log(10 * 366 * 86_400), noNaN: true }), fc.boolean())
  .map(([size, up]) => (up ? 1 : -1) * Math.exp(size));
/** Of a token's age that a fleet may have and still tell the timelines apart: less than half the step. */
const freshness = fc.double({ min: 0, max: 0.99, noNaN: true });
const counts = fc.integer({ min: witnessesMin, max: 100 });
/** `iat` has whole seconds, so a token looks up to one second older than it is. */
const ageOf = (stepSeconds: number, fraction: number) => fraction * (Math.abs(stepSeconds) / 2 - 1);

test("slewing of at most a second a second, whatever its course, is followed and raises nothing", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { maxLength: 60 }),
      async (slews) => {
        const machine = new Machine();
        machine.hear(10);

        for (const slew of slews) await machine.step(slew);

        assert.deepEqual(machine.events, []);
        assert.equal(machine.clock.isTrusted, true);
        assert.ok(Math.abs(machine.clock.wallSeconds() - machine.time.wallSeconds()) < 1e-3);
      },
    ),
    { numRuns: 200 },
  );
});

test("whatever its size, a wrong step moves nothing that honest devices witnessed against", async () => {
  await fc.assert(
    fc.asyncProperty(step, counts, freshness, async (stepSeconds, count, fraction) => {
      const machine = new Machine();
      machine.hear(count, ageOf(stepSeconds, fraction));

      await machine.step(stepSeconds);
      const deadlinesMoved = machine.rederived;
      machine.hear(count, ageOf(stepSeconds, fraction));
      await machine.time.advance(10_000);

      assert.ok(Math.abs(machine.errorSeconds) < 1e-3, `${machine.errorSeconds}`);
      assert.deepEqual([deadlinesMoved, machine.rederived], [0, 0]);
      assert.equal(machine.clock.isTrusted, false);
    }),
    { numRuns: 300 },
  );
});

test("whatever its size, a step that puts a wrong clock right is believed at once, and deadlines follow", async () => {
  await fc.assert(
    fc.asyncProperty(step, counts, freshness, async (stepSeconds, count, fraction) => {
      const machine = new Machine(-stepSeconds);
      machine.hear(count, ageOf(stepSeconds, fraction));

      await machine.step(stepSeconds);

      assert.ok(Math.abs(machine.errorSeconds) < 1e-3, `${machine.errorSeconds}`);
      assert.equal(machine.rederived, 1);
    }),
    { numRuns: 300 },
  );
});

test("steps upon steps move nothing that honest devices witness against", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 6 }), async (steps) => {
      const machine = new Machine();

      for (const stepSeconds of steps) {
        machine.hear(witnessesMin);
        await machine.step(stepSeconds);
        await machine.time.advance(3_000);
      }

      // A wall that comes back to within what slewing may be is followed again.
      assert.ok(Math.abs(machine.errorSeconds) <= slewSecondsMax, `${machine.errorSeconds}`);
    }),
    { numRuns: 300 },
  );
});

test("a machine that slept believes its clock again when fresh tokens say so", async () => {
  // Asleep, monotonic time stood still: for us the wall stepped, and the tokens before it fit the former timeline.
  const machine = new Machine();
  machine.hear(witnessesMin);
  await machine.step(3_600);
  const before = machine.errorSeconds;
  const hearAwake = (device: number) =>
    machine.clock.hear({
      deviceNumId: `awake ${device}`,
      issuedAtSeconds: Math.floor(machine.time.wallSeconds()),
      uncertaintySeconds: 0,
    });

  for (let device = 1; device < witnessesMin; device++) hearAwake(device);
  await machine.time.advance(5_000);
  const tooFew = machine.errorSeconds;
  hearAwake(witnessesMin);
  await machine.time.advance(sampleIntervalMillis);

  assert.ok(Math.abs(before) < 1e-3 && Math.abs(tooFew) < 1e-3);
  assert.ok(Math.abs(machine.errorSeconds - 3_600) < 1e-3);
  assert.equal(machine.rederived, 1);
  assert.equal(machine.events.at(-1)?.kind, "reconsidered");
});

test("without enough witnesses the wall is believed, and devices that come later may still overrule it", async () => {
  const machine = new Machine();
  machine.hear(witnessesMin - 1);

  await machine.step(3_600);
  const atFirst = machine.errorSeconds;
  machine.hear(witnessesMin);
  await machine.time.advance(sampleIntervalMillis);

  assert.ok(Math.abs(atFirst - 3_600) < 1e-3);
  assert.ok(Math.abs(machine.errorSeconds) < 1e-3);
  assert.equal(machine.rederived, 2);
});

test("tokens older than half a step decide nothing: the former timeline goes on until fresh ones come", async () => {
  const machine = new Machine(3_600);
  machine.hear(20, 7_000);

  await machine.step(-3_600);
  const undecided = machine.errorSeconds;
  machine.hear(witnessesMin);
  await machine.time.advance(sampleIntervalMillis);

  assert.ok(Math.abs(undecided - 3_600) < 1e-3);
  assert.ok(Math.abs(machine.errorSeconds) < 1e-3);
  assert.deepEqual(
    machine.events.map((event) => ("because" in event ? event.because : event.kind)),
    ["undecided", "witnesses"],
  );
});

test("of seconds a synchronised machine knows better, after five minutes; of more, or unsynchronised, it does not", async () => {
  const errors: number[] = [];
  for (const [seconds, synchronisation] of [
    [yieldSecondsMax, "synchronised"],
    [yieldSecondsMax + 1, "synchronised"],
    [yieldSecondsMax, "unknown"],
  ] as const) {
    const machine = new Machine();
    machine.synchronisation = synchronisation;
    machine.hear(witnessesMin);
    await machine.step(seconds);
    await machine.time.advance(quietMillis - 2 * sampleIntervalMillis);
    errors.push(machine.errorSeconds);
    await machine.time.advance(4 * sampleIntervalMillis);
    errors.push(machine.errorSeconds);
  }

  assert.deepEqual(errors.map(Math.round), [0, yieldSecondsMax, 0, 0, 0, 0]);
});

test("what a step did not convince of is never read, not even between the step and the next comparison", async () => {
  const machine = new Machine();
  machine.hear(witnessesMin);
  await machine.time.advance(300);

  machine.time.stepWall(-3_600);

  assert.ok(Math.abs(machine.errorSeconds) < 1e-3);
});

test("each change of mind takes as many fresh tokens again", async () => {
  const machine = new Machine();
  await machine.step(3_600);
  machine.hear(witnessesMin);
  await machine.time.advance(sampleIntervalMillis);
  const changes = machine.events.length;

  // Liars who agree with the wall: one fewer than it takes.
  for (let device = 1; device < witnessesMin; device++) {
    const issuedAtSeconds = Math.floor(machine.time.wallSeconds());
    machine.clock.hear({ deviceNumId: `liar ${device}`, issuedAtSeconds, uncertaintySeconds: 0 });
  }
  await machine.time.advance(5_000);

  assert.equal(machine.events.length, changes);
  assert.ok(Math.abs(machine.errorSeconds) < 1e-3);
});

test("clock_self is lowered five minutes after the wall and the belief came together, not before", async () => {
  const machine = new Machine();
  machine.hear(witnessesMin);
  await machine.step(3_600);
  await machine.time.advance(quietMillis * 2);
  const whileApart = machine.clock.isTrusted;

  await machine.step(-3_600);
  await machine.time.advance(quietMillis - sampleIntervalMillis);
  const justBefore = machine.clock.isTrusted;
  await machine.time.advance(sampleIntervalMillis);

  assert.deepEqual([whileApart, justBefore, machine.clock.isTrusted], [false, false, true]);
  assert.deepEqual(
    machine.events.map((event) => (event.kind === "stepped" ? event.because : event.kind)),
    ["witnesses", "came_back", "trusted_again"],
  );
});

test("a further step begins the five minutes anew", async () => {
  const machine = new Machine();
  await machine.step(10);
  await machine.time.advance(quietMillis - 10_000);

  await machine.step(10);
  await machine.time.advance(20_000);
  const afterFirst = machine.clock.isTrusted;
  await machine.time.advance(quietMillis);

  assert.deepEqual([afterFirst, machine.clock.isTrusted], [false, true]);
});

test("a wall that slews back to what is believed ends the question", async () => {
  const machine = new Machine();
  machine.hear(witnessesMin);
  await machine.step(5);

  for (let second = 0; second < 5; second++) await machine.step(-1);
  await machine.time.advance(quietMillis);

  assert.equal(machine.clock.isTrusted, true);
  assert.ok(Math.abs(machine.errorSeconds) < 1e-3);
});

test("lost synchronisation raises clock_self until it is there again", async () => {
  const machine = new Machine();
  machine.synchronisation = "synchronised";
  await machine.time.advance(2_000);
  const before = machine.clock.isTrusted;

  machine.synchronisation = "unsynchronised";
  await machine.time.advance(sampleIntervalMillis + quietMillis * 2);
  const lost = machine.clock.status();
  machine.synchronisation = "unknown";
  await machine.time.advance(quietMillis * 2);
  const silent = machine.clock.isTrusted;
  machine.synchronisation = "synchronised";
  await machine.time.advance(sampleIntervalMillis);

  assert.deepEqual([before, lost.isTrusted, lost.isSynchronisationLost, silent], [true, false, true, false]);
  assert.equal(machine.clock.isTrusted, true);
});

test("a machine that was never synchronised, or does not know, raises nothing", async () => {
  const machine = new Machine();

  for (const state of ["unsynchronised", "unknown", "unsynchronised", "synchronised"] as const) {
    machine.synchronisation = state;
    await machine.time.advance(2_000);
  }

  assert.deepEqual(machine.events, []);
});

test("a loss is noticed across a moment in which nobody answered", async () => {
  const machine = new Machine();

  for (const state of ["synchronised", "unknown", "unsynchronised"] as const) {
    machine.synchronisation = state;
    await machine.time.advance(2_000);
  }

  assert.deepEqual(machine.events, [{ kind: "synchronisation_lost" }]);
});

test("deadlines are worked out again when slewing has added up to half of the second they are kept to", async () => {
  const machine = new Machine();

  await machine.step(rederiveSlewSeconds * 0.9);
  const before = machine.rederived;
  await machine.step(rederiveSlewSeconds * 0.2);

  assert.deepEqual([before, machine.rederived], [0, 1]);
});

test("a process held up between reading one clock and the other sees no step", async () => {
  const time = new VirtualTime();
  const events: SelfClockEvent[] = [];
  let heldUpMillis = 0;
  const clock = {
    monotonicMillis: () => time.monotonicMillis() + heldUpMillis,
    wallSeconds: () => {
      const wall = time.wallSeconds() + heldUpMillis / 1000;
      if (isHeldUp) heldUpMillis += 3_000;
      return wall;
    },
  };
  let isHeldUp = false;
  const selfClock = createSelfClock({ clock, timers: time, tell: (event) => events.push(event) });

  isHeldUp = true;
  await time.advance(sampleIntervalMillis);
  isHeldUp = false;
  await time.advance(sampleIntervalMillis * 3);

  assert.ok(heldUpMillis > readMillisMax);
  assert.deepEqual(events, []);
  assert.equal(selfClock.isTrusted, true);
});

test("closed, it leaves no timer behind", () => {
  const machine = new Machine();

  machine.clock.close();

  assert.equal(machine.time.timersWaiting, 0);
});
