/** The keeper with the real DS3231 driver on the simulated chip, real SNTP packets, and the bridge's own signatures. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { dayMillis, daySeconds, hourMillis, KeeperWorld, type WorldDesign } from "../../test/keeper-world.ts";
import { AgentOptionError } from "../options.ts";
import { correctionMillisMax } from "./correction.ts";
import { rtcEveryMillis, type TimeKeeper, type TimeKeeperOptions } from "./time-keeper.ts";

/** A world whose device was commissioned an hour ago. */
function commissioned(seed: string, design: WorldDesign = {}) {
  const world = new KeeperWorld(seed, design);
  const options: Partial<TimeKeeperOptions> = { floorSeconds: world.trueSeconds() - 3_600 };
  return { world, options };
}

/** A world whose device has synced, was set, kept its record, and is switched off now. */
async function switchedOff(seed: string, design: WorldDesign = {}) {
  const { world, options } = commissioned(seed, design);
  const keeper = world.boot(options);
  await world.run(2 * hourMillis);
  assert.equal(keeper.status().trust, "synced");
  keeper.stop();
  world.lies.fill("silent");
  world.bridgeLie = "silent";
  world.events.length = 0;
  return world;
}

const isReady = (keeper: TimeKeeper): boolean => keeper.readiness().kind === "ready";
const because = (keeper: TimeKeeper): string => {
  const readiness = keeper.readiness();
  return readiness.kind === "waiting" ? readiness.because : "ready";
};

test("a device with a good clock chip is ready at once, in holdover, without any network", async () => {
  const world = await switchedOff("good chip");
  await world.run(10 * dayMillis);

  const keeper = world.boot();
  await world.run(1_500);

  assert.ok(isReady(keeper));
  world.assertHonest(keeper);
  const { trust, uncertaintySeconds = 0 } = keeper.status();
  assert.equal(trust, "holdover");
  // 5 ppm of 10 days, and what the sync left.
  assert.ok(uncertaintySeconds > 4 && uncertaintySeconds < 4.5, `${uncertaintySeconds}`);
});

test("a chip that has stopped is believed and set only after three servers agree", async () => {
  const { world, options } = commissioned("stopped", {
    rtc: { isOscillatorStopped: true, aheadSeconds: -5_000 },
  });
  world.lies.fill("silent");
  const keeper = world.boot(options);
  await world.run(10_000);

  assert.match(because(keeper), /clock chip has stopped/);
  world.lies.fill(0);
  await world.run(hourMillis);

  assert.ok(isReady(keeper));
  world.assertHonest(keeper);
  assert.equal(world.isOscillatorStopped(), false);
  assert.equal(keeper.status().rtc?.state, "good");
});

test("a chip that has stopped is set after a signed time, years over the floor", async () => {
  const world = new KeeperWorld("signed start", {
    servers: 0,
    signed: "yes",
    startSeconds: 1_950_000_000,
    rtc: { isOscillatorStopped: true, aheadSeconds: -5_000 },
  });
  const keeper = world.boot();
  await world.run(hourMillis);

  assert.ok(isReady(keeper));
  world.assertHonest(keeper);
  assert.equal(world.isOscillatorStopped(), false);
  assert.deepEqual([keeper.status().basis, keeper.status().trust], ["signed", "synced"]);
});

test("one server, and the bridge's unsigned word, neither end waiting nor clear OSF", async () => {
  const { world, options } = commissioned("one server", { servers: 1, rtc: { isOscillatorStopped: true } });
  const keeper = world.boot(options);
  await world.run(2 * hourMillis);
  const outcome = await corrected(world, keeper, 0);

  assert.equal(outcome, "unchanged");
  assert.match(because(keeper), /nobody vouches/);
  assert.equal(world.isOscillatorStopped(), true);
});

test("one server moves a trusted clock by no more than its uncertainty covers, and the claim stays true", async () => {
  const world = await switchedOff("one server later", { servers: 3 });
  world.lies.splice(0, 3, 0, "silent", "silent");
  const keeper = world.boot();
  await world.run(hourMillis);
  world.lies[0] = 20;
  await world.run(12 * hourMillis);

  assert.ok(isReady(keeper));
  world.assertHonest(keeper);
  world.lies[0] = 50;
  await world.run(12 * hourMillis);
  assert.ok(isReady(keeper));
  world.assertHonest(keeper);
});

test("servers that all lie a day ahead do not move a clock that has no signed time, and it says what it wants", async () => {
  const { world, options } = commissioned("lie ahead");
  const keeper = world.boot(options);
  await world.run(2 * hourMillis);
  world.lies.fill(daySeconds + 7_200);
  await world.run(dayMillis);

  assert.ok(isReady(keeper));
  world.assertHonest(keeper);
  assert.ok(world.events.some(({ kind }) => kind === "signature_wanted"));
});

test("servers that lie a day ahead from the start keep a device waiting, and a signed time ends that", async () => {
  const { world, options } = commissioned("lie from the start", { signed: "yes", rtc: "none" });
  world.lies.fill(daySeconds);
  world.bridgeLie = "silent";
  const keeper = world.boot(options);
  await world.run(600_000);

  assert.match(because(keeper), /more than a day/);
  world.bridgeLie = 0;
  await world.run(hourMillis);
  assert.ok(isReady(keeper));
  world.assertHonest(keeper);
});

test("servers that all lie move no clock that rests on a signature: not a day ahead, not a day back", async () => {
  for (const lie of [daySeconds + 7_200, 20 * 3_600, 40, -40, -daySeconds]) {
    const { world, options } = commissioned(`lie ${lie}`, { signed: "yes" });
    const keeper = world.boot(options);
    await world.run(2 * hourMillis);
    world.lies.fill(lie);
    await world.run(dayMillis);

    assert.ok(isReady(keeper));
    world.assertHonest(keeper);
    assert.ok(!world.events.some(({ kind }) => kind === "floor_lowered"));
  }
});

test("without a signature a majority moves the clock back, lowers the floor, and an event says so", async () => {
  const { world, options } = commissioned("back");
  const keeper = world.boot(options);
  await world.run(2 * hourMillis);
  world.lies.fill(-7_200);
  await world.run(2 * hourMillis);

  const readiness = keeper.readiness();
  assert.ok(readiness.kind === "ready");
  assert.ok(Math.abs(readiness.now - (world.trueSeconds() - 7_200)) < 1);
  assert.ok(world.events.some(({ kind }) => kind === "floor_lowered"));
});

test("a dead battery is waiting after power comes back, until servers agree, and then the chip tells the time again", async () => {
  const world = await switchedOff("battery");
  world.sim.setBattery("none");
  world.sim.cutPower();
  await world.run(12 * hourMillis);
  world.sim.restorePower();
  const keeper = world.boot();
  await world.run(60_000);

  assert.match(because(keeper), /clock chip has stopped/);
  world.lies.fill(0);
  await world.run(2 * hourMillis);
  assert.ok(isReady(keeper));
  world.assertHonest(keeper);
  assert.equal(keeper.status().rtc?.state, "good");
});

test("a stuck bus costs the chip and not the clock: the network's time is kept, and the status says what is wrong", async () => {
  const { world, options } = commissioned("stuck");
  world.sim.holdBus("held");
  const keeper = world.boot(options);
  await world.run(hourMillis);

  assert.ok(isReady(keeper));
  world.assertHonest(keeper);
  assert.deepEqual([keeper.status().rtc?.state, keeper.status().rtc?.trouble], ["unusable", "bus_silent"]);
  world.sim.holdBus("free");
  await world.run(2 * hourMillis);
  world.assertHonest(keeper);
});

test("holdover at 5 ppm lasts 69 days, and then the device waits and says why", async () => {
  const world = await switchedOff("69 days");
  await world.run(68 * dayMillis);
  const keeper = world.boot();
  await world.run(dayMillis / 2);

  assert.ok(isReady(keeper));
  world.assertHonest(keeper);
  await world.run(dayMillis);
  assert.match(because(keeper), /not been checked for so long/);
  assert.equal(keeper.status().trust, "holdover");
});

test("without a chip holdover lasts as long as the crystal is good for, 3 days at 100 ppm", async () => {
  const { world, options } = commissioned("no chip", { rtc: "none", monotonicPpm: -90 });
  const keeper = world.boot(options);
  await world.run(hourMillis);
  world.lies.fill("silent");
  await world.run(3 * dayMillis);

  assert.ok(isReady(keeper));
  world.assertHonest(keeper);
  await world.run(dayMillis);
  assert.equal(isReady(keeper), false);
});

test("the era of 2036 passes unnoticed", async () => {
  const wrap = 2_085_978_496; // 2036-02-07T06:28:16Z
  const { world, options } = commissioned("2036", { startSeconds: wrap - 1_800 });
  const keeper = world.boot(options);
  for (let hour = 0; hour < 24; hour += 1) {
    await world.run(hourMillis);
    assert.ok(isReady(keeper));
    world.assertHonest(keeper);
  }
  assert.ok(world.trueSeconds() > wrap);
  assert.equal(keeper.status().trust, "synced");
});

test("a chip that somebody else sets contradicts the monotonic clock: nothing is signed until the servers answer", async () => {
  const { world, options } = commissioned("set by others");
  const keeper = world.boot(options);
  await world.run(2 * hourMillis);
  world.lies.fill("silent");
  world.setChip(40);
  await world.run(rtcEveryMillis + 10_000);

  assert.match(because(keeper), /contradicts/);
  world.lies.fill(0);
  await world.run(2 * hourMillis);
  assert.ok(isReady(keeper));
  world.assertHonest(keeper);
  assert.equal(keeper.status().rtc?.state, "good");
});

test("a chip that contradicts twice within a day is left alone for a day", async () => {
  const { world, options } = commissioned("twice");
  const keeper = world.boot(options);
  await world.run(2 * hourMillis);
  for (const ahead of [40, -90]) {
    world.lies.fill("silent");
    world.setChip(ahead);
    await world.run(rtcEveryMillis + 10_000);
    assert.equal(isReady(keeper), false);
    world.lies.fill(0);
    await world.run(2 * hourMillis);
  }

  assert.equal(keeper.status().rtc?.state, "aside");
  assert.ok(isReady(keeper));
  await world.run(dayMillis);
  world.assertHonest(keeper);
  assert.equal(keeper.status().rtc?.state, "good");
});

test("the store is written at most once an hour: the first time and 720 times in 30 days, restarts included", async () => {
  const { world, options } = commissioned("wear", { rtc: "none" });
  let keeper = world.boot(options);
  for (let day = 0; day < 30; day += 1) {
    for (let restart = 0; restart < 4; restart += 1) {
      await world.run(6 * hourMillis);
      keeper.stop();
      keeper = world.boot(options);
    }
  }

  assert.ok(world.writes.length <= 721, `${world.writes.length}`);
  assert.ok(world.writes.length > 600, `${world.writes.length}`);
  assert.ok(leastGap(world) > 3_590);
});

test("a chip that runs fast is set again and again, and still nothing is written more than once an hour", async () => {
  const { world, options } = commissioned("fast", { rtc: { crystal: { errorPpm: 60 } } });
  const keeper = world.boot(options);
  await world.run(3 * dayMillis);

  assert.ok(leastGap(world) > 3_590);
  assert.ok(isReady(keeper));
  world.assertHonest(keeper);
});

test("a damaged value is as good as absent, and told", async () => {
  const world = await switchedOff("damaged");
  const bytes = world.store.read("clock");
  assert.ok(bytes !== undefined);
  bytes[12] = (bytes[12] ?? 0) ^ 0x10;
  await world.store.write("clock", bytes);

  const keeper = world.boot();
  await world.run(60_000);

  assert.equal(world.events[0]?.kind, "store_damaged");
  assert.match(because(keeper), /nobody knows what the clock chip was set by/);
});

test("a store that is full is told, the clock goes on, and the chip is not set without a record", async () => {
  const { world, options } = commissioned("full", { rtc: { isOscillatorStopped: true } });
  world.isStoreFull = true;
  const keeper = world.boot(options);
  await world.run(3 * hourMillis);

  assert.ok(isReady(keeper));
  assert.ok(world.events.some(({ kind }) => kind === "store_failed"));
  assert.equal(world.isOscillatorStopped(), true);
  world.isStoreFull = false;
  await world.run(2 * hourMillis);
  assert.equal(world.isOscillatorStopped(), false);
});

test("a power cut at any instant of the first hours leaves a chip that tells no lie at the next start", async () => {
  for (let minutes = 1; minutes <= 180; minutes += 17) {
    const { world, options } = commissioned(`cut ${minutes}`, { rtc: { aheadSeconds: -7.3 } });
    const keeper = world.boot(options);
    await world.run(minutes * 60_000 + minutes * 7);
    keeper.stop();
    world.lies.fill("silent");
    await world.run(3 * hourMillis);
    const next = world.boot();
    await world.run(5_000);

    world.assertHonest(next);
  }
});

test("the drift is fitted within days, and then a device that was off for weeks is surer of its time", async () => {
  const { world, options } = commissioned("fit", { rtc: { crystal: { errorPpm: 4 } } });
  const keeper = world.boot(options);
  await world.run(5 * dayMillis);
  const { driftPpm = 0, driftBoundPpm = 0 } = keeper.status().rtc ?? {};
  assert.ok(Math.abs(driftPpm - 4) < 0.3, `${driftPpm}`);
  assert.ok(driftBoundPpm < 5);
  keeper.stop();
  world.lies.fill("silent");
  await world.run(40 * dayMillis);

  const next = world.boot();
  await world.run(2_000);

  const { uncertaintySeconds = 0, now = 0 } = next.status();
  world.assertHonest(next);
  assert.ok(uncertaintySeconds < 10, `${uncertaintySeconds}`); // 17 s at 5 ppm
  assert.ok(Math.abs(now - world.trueSeconds()) < 1.5, `${now - world.trueSeconds()}`);
});

test("a chip that is worse than any of its kind is told of once", async () => {
  const { world, options } = commissioned("counterfeit", { rtc: { crystal: { errorPpm: 25 } } });
  world.boot(options);
  await world.run(4 * dayMillis);

  assert.equal(world.events.filter(({ kind }) => kind === "drift_alert").length, 1);
});

test("the aging offset is trimmed only where that is switched on", async () => {
  for (const agingDiscipline of ["off", "on"] as const) {
    const { world, options } = commissioned(`aging ${agingDiscipline}`, {
      rtc: { crystal: { errorPpm: 4 } },
    });
    const keeper = world.boot({ ...options, agingDiscipline });
    for (let day = 0; day < 20; day += 1) {
      await world.run(dayMillis);
      world.assertHonest(keeper);
    }

    const truly = Math.abs(world.sim.truePpm());
    if (agingDiscipline === "off") assert.ok(truly > 1.4);
    else assert.ok(truly < 0.6, `${truly}`);
  }
});

/** Between two writes to the store, seconds. */
function leastGap({ writes }: KeeperWorld): number {
  return Math.min(...writes.slice(1).map((at, index) => at - (writes[index] ?? 0)));
}

/** Asks for a correction with the bridge's unsigned word, off by `lie`. */
async function corrected(world: KeeperWorld, keeper: TimeKeeper, lie: number): Promise<string> {
  const outcomes: string[] = [];
  const receivedMillis = world.deviceMillis();
  const hint = { serverTime: world.trueSeconds() + lie, sentMillis: receivedMillis - 20, receivedMillis };
  keeper.correct(hint, (outcome) => outcomes.push(outcome));
  assert.deepEqual(outcomes, []);
  await world.run(correctionMillisMax + 1_000);
  assert.equal(outcomes.length, 1);
  return outcomes[0] ?? "";
}

test("a correction asks every source once more, and a clock that was wrong is right within half a minute", async () => {
  const world = await switchedOff("correct");
  world.setChip(12);
  const keeper = world.boot();
  await world.run(600_000);
  const wrong = keeper.readiness();
  assert.ok(wrong.kind === "ready" && wrong.now - world.trueSeconds() > 11);
  world.lies.fill(0);

  const outcome = await corrected(world, keeper, 0);

  assert.equal(outcome, "corrected");
  assert.ok(isReady(keeper));
  world.assertHonest(keeper);
});

test("a correction with nobody to ask but the bridge moves the clock by at most its uncertainty", async () => {
  const world = await switchedOff("hint");
  await world.run(10 * dayMillis);
  const keeper = world.boot();
  await world.run(10_000);
  const { uncertaintySeconds = 0 } = keeper.status();

  const outcome = await corrected(world, keeper, 300);

  assert.equal(outcome, "corrected");
  world.assertHonest(keeper);
  const { now = 0 } = keeper.status();
  assert.ok(now - world.trueSeconds() <= 2 * uncertaintySeconds);
});

test("a correction that finds nothing says so in time, also when nobody answers and many ask", async () => {
  const world = await switchedOff("nobody", { signed: "yes" });
  const keeper = world.boot();
  await world.run(10_000);
  const outcomes: string[] = [];
  for (let asker = 0; asker < 12; asker += 1) keeper.correct(undefined, (outcome) => outcomes.push(outcome));

  await world.run(30_000);

  assert.deepEqual(
    outcomes,
    Array.from({ length: 12 }, () => "unchanged"),
  );
});

test("a correction does not wait for a source that never comes back", async () => {
  const world = await switchedOff("never");
  const keeper = world.boot({}, { ntp: { ask: () => {}, stop: () => {} } });
  await world.run(10_000);
  const outcomes: string[] = [];
  keeper.correct(undefined, (outcome) => outcomes.push(outcome));

  await world.run(30_000);

  assert.deepEqual(outcomes, ["unchanged"]);
});

test("a correction is answered before the start and after the end, too", async () => {
  const world = new KeeperWorld("ends");
  const keeper = world.boot();
  keeper.stop();
  const outcomes: string[] = [];
  keeper.correct(undefined, (outcome) => outcomes.push(outcome));
  await world.run(30_000);

  assert.deepEqual(outcomes, ["unchanged"]);
});

test("a device has one socket open at most, and is polite to its servers", async () => {
  const { world, options } = commissioned("sockets", { signed: "yes" });
  world.boot(options);
  await world.run(dayMillis);

  assert.equal(world.net.socketsOpenMax, 1);
  // 64 s, doubled up to 4,096 s: 28 rounds a day.
  assert.ok(world.net.sentTo("ntp0").length <= 30);
  assert.ok(world.net.sentTo("bridge").length <= 3);
});

test("uncertainty foreseen is never less than what is then known, where nothing better is learned", async () => {
  const { world, options } = commissioned("foreseen", { rtc: "none" });
  const keeper = world.boot(options);
  assert.equal(keeper.uncertaintySecondsAt(world.deviceMillis()), Number.POSITIVE_INFINITY);
  await world.run(60_000);
  world.lies.fill("silent");
  const atMillis = world.deviceMillis() + 6 * hourMillis;
  const foreseen = keeper.uncertaintySecondsAt(atMillis);

  await world.run(6 * hourMillis);

  const { uncertaintySeconds = 0 } = keeper.status();
  assert.ok(foreseen >= uncertaintySeconds - 0.01 && foreseen > 2, `${foreseen} ${uncertaintySeconds}`);
});

test("options out of range are refused", () => {
  const world = new KeeperWorld("options");

  for (const wrong of [{ limitSeconds: 0 }, { limitSeconds: 1.5 }, { monotonicPpm: 0 }, { rtcPpm: 200 }])
    assert.throws(() => world.boot(wrong), AgentOptionError);
});

for (const seed of ["life 1", "life 2", "life 3"]) {
  test(`in a life of restarts, silences, lies of one server and power cuts the claim is always true: ${seed}`, async () => {
    const { world, options } = commissioned(seed, { signed: "yes", servers: 4, monotonicPpm: 80 });
    const chance = world.net.world.random("life");
    let keeper = world.boot(options);
    for (let step = 0; step < 40; step += 1) {
      switch (chance.between(0, 6)) {
        case 0:
          keeper.stop();
          await world.run(chance.between(1, 72) * hourMillis);
          keeper = world.boot(options);
          break;
        case 1:
          keeper.stop();
          world.sim.setBattery(chance.share() < 0.3 ? "none" : "good");
          world.sim.cutPower();
          await world.run(chance.between(1, 72) * hourMillis);
          world.sim.restorePower();
          keeper = world.boot(options);
          break;
        case 2:
          world.lies.fill(chance.share() < 0.5 ? "silent" : 0);
          break;
        case 3:
          world.lies[chance.between(0, 3)] = chance.between(-100_000, 100_000);
          break;
        case 4:
          world.bridgeLie = chance.share() < 0.5 ? "silent" : 0;
          break;
        case 5:
          await corrected(world, keeper, chance.between(-300, 300));
          break;
        default:
          world.sim.holdBus(chance.share() < 0.3 ? "held" : "free");
      }
      // At most one server lies.
      const liars = world.lies.flatMap((lie, index) => (typeof lie === "number" && lie !== 0 ? [index] : []));
      for (const index of liars.slice(1)) world.lies[index] = 0;
      for (let look = 0; look < 4; look += 1) {
        await world.run(chance.between(1, 5_000_000));
        world.assertHonest(keeper);
      }
    }
  });
}
