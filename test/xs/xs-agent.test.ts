/**
 * The agent and its adapters in the real XS engine, against the real bridge, in virtual time.
 */
import assert from "node:assert/strict";
import { before, type TestContext, test } from "node:test";
import { isServiceThere, requireService } from "../../tools/services.ts";
import { type LoadedEngine, loadEngine, XsHouse, type XsHouseOptions } from "./xs-house.ts";
import { XsThrew, XsWorker } from "./xs-worker.ts";

const hourMillis = 3_600_000;
let engine: LoadedEngine | undefined;

before(async () => {
  if (isServiceThere("xs")) engine = await loadEngine();
});

/** A house whose agent was started. */
async function start(t: TestContext, options: Partial<XsHouseOptions> = {}): Promise<XsHouse> {
  requireService(t, "xs");
  assert.ok(engine !== undefined);
  const house = await XsHouse.arrange({ snapshot: engine.loaded, ...options });
  t.after(() => house.worker.end());
  await house.evaluate("H.start()");
  return house;
}

test("the agent in XS connects, and what it publishes is acknowledged", async (t) => {
  const house = await start(t);
  for (let i = 0; i < 30; i++) await house.evaluate("H.publish(100)");

  await house.run(5_000);

  const status = await house.status();
  assert.equal(status.state, "connected");
  assert.equal(status.acknowledged, 30);
  assert.equal(house.counts.published, 30);
});

test("10,000 renewals in XS leave not one slot behind", async (t) => {
  const house = await start(t);
  await house.run(24 * hourMillis);
  const early = await house.countSlots();

  // 347 days: the tick counter rolls over seven times.
  await house.run(8_730 * hourMillis);

  const late = await house.countSlots();
  const status = await house.status();
  assert.ok(status.renewals >= 10_000, `${status.renewals} renewals`);
  assert.equal(status.state, "connected");
  assert.equal(house.counts.refused, 0);
  assert.ok(late <= early, `${early} slots after a day, ${late} after ${status.renewals} renewals`);
  assert.equal(await house.unhandledRejections(), 0);
  t.diagnostic(`${status.renewals} renewals, ${house.counts.connects} connections, ${late} slots`);
});

test("MQTT 3.1.1 renews in XS with never more than one socket, and loses nothing that waits", async (t) => {
  const house = await start(t, { agent: { protocolVersion: 4, keepAliveSeconds: 1_200 } });
  let accepted = 0;
  for (let i = 0; i < 200; i++) {
    await house.evaluate("H.publish(50)");
    accepted += 1;
    await house.run(hourMillis / 10);
  }

  const status = await house.status();
  // Each new token costs a connection, and the old one has ended before the new one is looked up.
  assert.ok(house.counts.connects >= 20, `${house.counts.connects} connections`);
  assert.equal(status.acknowledged, accepted);
  // What that costs is told: a renewal is one, whatever becomes of the old link, and the time without a link its gap.
  assert.equal(status.renewals, status.connects - 1);
  assert.ok(status.longestGapMillis > 0 && status.longestGapMillis < 1_000, `${status.longestGapMillis} ms`);
  assert.equal(house.counts.linksMost, 1);
  assert.equal(await house.unhandledRejections(), 0);
});

test("renewals go on through the roll-over of the ticks", async (t) => {
  const house = await start(t, { startTicks: 2 ** 31 - 1.5 * hourMillis });

  await house.run(5 * hourMillis);

  const status = await house.status();
  assert.equal(status.state, "connected");
  assert.ok(status.renewals >= 5, `${status.renewals} renewals`);
  assert.equal(house.counts.connects, 1);
});

test("a chip that is away, links that break and an agent that stops leave no promise unheard", async (t) => {
  const conduct = { chipIsAway: true };
  const house = await start(t, { conduct });
  await house.run(10 * 60_000);
  const without = await house.status();

  conduct.chipIsAway = false;
  await house.run(30 * 60_000);
  for (let i = 0; i < 20; i++) {
    await house.evaluate("H.publish(50)");
    house.cut();
    await house.run(10 * 60_000);
  }
  const back = await house.status();
  await house.evaluate("H.publish(50)");
  await house.evaluate("H.stop()");
  await house.run(60_000);

  assert.equal(without.connects, 0);
  assert.equal(back.state, "connected");
  assert.equal(back.acknowledged, 20);
  assert.equal((await house.status()).state, "stopped");
  assert.equal(await house.unhandledRejections(), 0);
});

test("the engine says when a promise fails unheard: the count above can rise", async (t) => {
  const house = await start(t);

  await house.evaluate("Promise.reject(new Error('nobody hears'))");

  assert.equal(await house.unhandledRejections(), 1);
});

test("what throws inside is an error of the one who asked", async (t) => {
  requireService(t, "xs");
  const worker = new XsWorker();
  t.after(() => worker.end());

  await assert.rejects(worker.evaluate("nothing.there"), XsThrew);
});
