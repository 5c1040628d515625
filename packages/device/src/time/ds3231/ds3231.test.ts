import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { errorOf, RtcWorld } from "../../../test/rtc-world.ts";
import type { I2cBus } from "../../ports.ts";
import { Ds3231, setAttemptsMax } from "./ds3231.ts";
import { transactionMillisMax } from "./ds3231-link.ts";
import { register } from "./registers.ts";

/** 2027-01-15T08:00:00Z. */
const someSecond = 1_800_000_000;

test("a blind read brackets the clock's time by half a second, wherever in its second it is", async () => {
  await fc.assert(
    fc.asyncProperty(fc.double({ min: 0, max: 0.999, noNaN: true }), async (fraction) => {
      const world = new RtcWorld({ startsAtSeconds: someSecond + fraction });

      const answer = await world.until(world.rtc.read());

      assert.ok(answer.kind === "read");
      assert.ok(Math.abs(errorOf(world, answer.sample)) <= answer.sample.boundSeconds);
      assert.ok(answer.sample.boundSeconds < 0.502);
    }),
    { numRuns: 50 },
  );
});

test("reading the phase brackets the clock's time by less than 5 ms", async () => {
  await fc.assert(
    fc.asyncProperty(fc.double({ min: 0, max: 0.999, noNaN: true }), async (fraction) => {
      const world = new RtcWorld({ startsAtSeconds: someSecond + fraction });

      const answer = await world.until(world.rtc.readPhase());

      assert.ok(answer.kind === "read");
      assert.ok(Math.abs(errorOf(world, answer.sample)) <= answer.sample.boundSeconds);
      assert.ok(answer.sample.boundSeconds < 0.005);
    }),
    { numRuns: 20 },
  );
});

test("a clock that lost its time says so, and tells temperature and aging all the same", async () => {
  const world = new RtcWorld({ temperatureC: -7.75 });
  world.sim.advanceMicros(1_000_000);

  const answer = await world.until(world.rtc.read());

  assert.ok(answer.kind === "read");
  assert.deepEqual(
    [answer.isOscillatorStopped, answer.temperatureC, answer.aging, Math.floor(answer.sample.seconds)],
    [true, -7.75, 0, 946_684_801],
  );
});

test("setting writes 00h to 06h at the whole second in one transfer, and clears OSF only after it", async () => {
  const world = new RtcWorld({ trueSeconds: someSecond + 0.25 });

  const answer = await world.until(world.rtc.set(world.truth(0.02)));

  assert.ok(answer.kind === "set");
  // 2027-01-15 is a Friday. Then control 1Ch as it was, and status: EN32kHz kept, OSF 0, alarm flags left alone.
  assert.deepEqual(world.written, ["0001000806150127", "0e1c0b"]);
  assert.ok(Math.abs(errorOf(world, answer.sample)) <= answer.errorSecondsMax);
  assert.ok(answer.errorSecondsMax < 0.023, `${answer.errorSecondsMax}`);
  const read = await world.until(world.rtc.readPhase());
  assert.ok(read.kind === "read" && !read.isOscillatorStopped);
  assert.ok(Math.abs(errorOf(world, read.sample)) < 0.002 + read.sample.boundSeconds);
});

test("a clock in 12-hour mode, with century bit, EOSC and an alarm that rang, is set to ours and keeps its alarm", async () => {
  const world = new RtcWorld({ startsAtSeconds: someSecond, trueSeconds: someSecond + 100 });
  const { sim } = world;
  // Alarm 1 each second; 11 PM; month 12 with century bit; EOSC.
  sim.write(0x68, Uint8Array.of(register.alarm1, 0x80, 0x80, 0x80, 0x80));
  sim.write(0x68, Uint8Array.of(register.hours, 0x71, 0x01, 0x31, 0x92, 0x99));
  sim.write(0x68, Uint8Array.of(register.control, 0x9c));
  sim.advanceMicros(2_000_000);

  const answer = await world.until(world.rtc.set(world.truth()));

  assert.equal(answer.kind, "set");
  sim.write(0x68, Uint8Array.of(0));
  const bytes = sim.read(0x68, 19);
  assert.ok(typeof bytes !== "string");
  assert.deepEqual([...bytes.subarray(2, 7)], [0x08, 0x06, 0x15, 0x01, 0x27]);
  assert.deepEqual([bytes[register.control], (bytes[register.status] ?? 0) & 0x81], [0x1c, 0x01]);
});

test("a clock whose registers hold no time can be set", async () => {
  const world = new RtcWorld();
  world.sim.write(0x68, Uint8Array.of(register.month, 0x1f));
  const before = await world.until(world.rtc.read());

  const answer = await world.until(world.rtc.set(world.truth()));

  assert.deepEqual([before, answer.kind], [{ kind: "unusable", because: "no_clock" }, "set"]);
});

test("timers that run late cost three attempts, and the error they leave is told", async () => {
  const world = new RtcWorld();
  world.timerLateMillis = 40;

  const answer = await world.until(world.rtc.set(world.truth()));

  assert.ok(answer.kind === "set");
  assert.ok(world.sim.nowMicros() > (setAttemptsMax - 1) * 1e6);
  assert.ok(Math.abs(errorOf(world, answer.sample)) >= 0.039);
  assert.ok(Math.abs(errorOf(world, answer.sample)) <= answer.errorSecondsMax);
});

test("timers half a second late and more set nothing", async () => {
  const world = new RtcWorld();
  world.timerLateMillis = 501;

  const answer = await world.until(world.rtc.set(world.truth()));

  assert.deepEqual([answer, world.written], [{ kind: "unusable", because: "late" }, []]);
});

test("a time before 2000 or after 2099 is not written", async () => {
  const world = new RtcWorld();
  const sample = (seconds: number) => ({ ...world.truth(), seconds });

  const answers = [];
  for (const seconds of [946_684_799 - 1, 4_102_444_799.5, Number.NaN])
    answers.push(await world.until(world.rtc.set(sample(seconds))));

  assert.deepEqual(
    answers,
    answers.map(() => ({ kind: "unusable", because: "out_of_range" })),
  );
  assert.deepEqual(world.written, []);
});

test("a clock whose OSF comes back is not called set", async () => {
  const world = new RtcWorld();
  const rtc = new Ds3231({
    clock: world.clock,
    timers: world,
    bus: {
      write: world.bus.write,
      // A crystal that does not swing: OSF is 1 again at once.
      read: async (address, length) => {
        const bytes = await world.bus.read(address, length);
        if (bytes !== undefined) bytes[register.status] = (bytes[register.status] ?? 0) | 0x80;
        return bytes;
      },
    },
  });

  const answer = await world.until(rtc.set(world.truth()));

  assert.deepEqual(answer, { kind: "unusable", because: "not_kept" });
});

test("a clock that stands still is told after 240 looks", async () => {
  const world = new RtcWorld();
  const still = await world.until(world.bus.read(0x68, 19));
  let reads = 0;
  const rtc = new Ds3231({
    clock: world.clock,
    timers: world,
    bus: {
      write: world.bus.write,
      read: async () => {
        reads += 1;
        return still?.slice();
      },
    },
  });

  const answer = await world.until(rtc.readPhase());

  assert.deepEqual([answer, reads], [{ kind: "unusable", because: "standing_still" }, 241]);
});

test("nobody at the address, a bus that fails and a chip that is no clock are told apart", async () => {
  const world = new RtcWorld();
  const failing: I2cBus = {
    write: () => Promise.reject(new Error("controller")),
    read: () => Promise.reject(new Error("controller")),
  };
  const floating: I2cBus = {
    write: async () => "ack",
    read: async (_address, length) => new Uint8Array(length).fill(0xff),
  };
  world.sim.cutPower();

  for (const [bus, because] of [
    [world.bus, "not_acknowledged"],
    [failing, "bus_failed"],
    [floating, "no_clock"],
  ] as const) {
    const rtc = new Ds3231({ clock: world.clock, timers: world, bus });
    const expected = { kind: "unusable", because };
    assert.deepEqual(await world.until(rtc.read()), expected);
    assert.deepEqual(await world.until(rtc.readPhase()), expected);
    if (because === "no_clock") continue;
    assert.deepEqual(await world.until(rtc.set(world.truth())), expected);
    assert.deepEqual(await world.until(rtc.setAging(1)), expected);
  }
  assert.equal(world.timersWaiting, 0);
});

test("a stuck bus is given up after a second, with no second transaction behind the first", async () => {
  const world = new RtcWorld({ startsAtSeconds: someSecond });
  let transactions = 0;
  let letGo = (_outcome: "ack"): void => undefined;
  let isStuck = true;
  const rtc = new Ds3231({
    clock: world.clock,
    timers: world,
    bus: {
      read: world.bus.read,
      write: (address, bytes) => {
        transactions += 1;
        return isStuck ? new Promise((resolve) => (letGo = resolve)) : world.bus.write(address, bytes);
      },
    },
  });

  const first = await world.until(rtc.read());
  const millis = world.clock.monotonicMillis();
  const second = await world.until(rtc.read());
  isStuck = false;
  letGo("ack");
  await new Promise(setImmediate);
  const third = await world.until(rtc.read());

  const silent = { kind: "unusable", because: "bus_silent" };
  assert.deepEqual([first, second, third.kind], [silent, silent, "read"]);
  assert.deepEqual([millis, transactions, world.timersWaiting], [transactionMillisMax, 2, 0]);
});

test("a bus that the clock itself holds low is silent", async () => {
  const world = new RtcWorld({ startsAtSeconds: someSecond });
  world.sim.holdBus("held");

  const stuck = await world.until(world.rtc.read());

  assert.deepEqual(stuck, { kind: "unusable", because: "bus_silent" });
});

test("a second operation is turned away while one is under way", async () => {
  const world = new RtcWorld({ startsAtSeconds: someSecond });

  const first = world.rtc.readPhase();
  const second = await world.until(world.rtc.read());

  assert.deepEqual(second, { kind: "unusable", because: "in_use" });
  assert.equal((await world.until(first)).kind, "read");
});

test("the aging offset takes effect at once, and the old one is told", async () => {
  const world = new RtcWorld({ startsAtSeconds: someSecond, crystal: { errorPpm: 8 } });

  const answer = await world.until(world.rtc.setAging(-3));
  const again = await world.until(world.rtc.setAging(10));

  assert.deepEqual(
    [answer, again],
    [
      { kind: "aging_set", previousAging: 0 },
      { kind: "aging_set", previousAging: -3 },
    ],
  );
  assert.equal(world.sim.truePpm(), 7);
  assert.ok(world.sim.nowMicros() < 1e6);
});

test("a conversion under way is waited for before the aging offset is written", async () => {
  const world = new RtcWorld({ startsAtSeconds: someSecond, crystal: { errorPpm: 8 } });
  // The chip converts by itself every 64 s.
  world.sim.advanceMicros(64_000_000 + 1_000);

  const answer = await world.until(world.rtc.setAging(10));

  assert.deepEqual([answer.kind, world.sim.truePpm()], ["aging_set", 7]);
});

test("a conversion that does not end, and an offset that is none, are told", async () => {
  const world = new RtcWorld({ startsAtSeconds: someSecond });
  const rtc = new Ds3231({
    clock: world.clock,
    timers: world,
    bus: {
      write: world.bus.write,
      read: async (address, length) => {
        const bytes = await world.bus.read(address, length);
        if (bytes !== undefined) bytes[register.status] = (bytes[register.status] ?? 0) | 0x04;
        return bytes;
      },
    },
  });

  assert.deepEqual(await world.until(rtc.setAging(5)), { kind: "unusable", because: "always_converting" });
  for (const aging of [128, -128, 0.5])
    assert.deepEqual(await world.until(rtc.setAging(aging)), { kind: "unusable", because: "out_of_range" });
});
