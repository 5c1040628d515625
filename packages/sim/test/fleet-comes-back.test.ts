/**
 * Ten thousand devices lose their bridge at one moment: how they come back, second by second.
 *
 * Real agents with keys of their own and the real bridge, each token signed and verified, in virtual time. The
 * network refuses while the bridge is down; the process in its place knows only what was durable.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { arrangeHouse, type House } from "./arrange-house.ts";

const devices = 10_000;
/** Before the next scene every connection is stable, and what was counted is forgotten. */
const calmMillis = 60_000;
/** `network` of the table in docs/reference/agent.md: ceilings of the waits after the first failures. */
const ceilingsSeconds = [5, 10, 20, 40, 64];

interface Life {
  /** Instants of this scene, in seconds since the loss. */
  readonly attempts: number[];
  connected: number | undefined;
}

interface Scene {
  readonly lives: readonly Life[];
  /** Accepted CONNECTs, second by second since the loss. */
  readonly arrivals: readonly number[];
}

async function arrangeFleet() {
  // No PINGREQ within a scene: it would only cost time.
  const house = await arrangeHouse({
    seed: "fleet comes back",
    devices,
    agent: { keepAliveSeconds: 1_200 },
  });
  const { world } = house;
  const lives: Life[] = house.tenants.map(() => ({ attempts: [], connected: undefined }));
  let sinceMillis = 0;
  const start = world.random("start");
  for (const [i, { agent, events }] of house.tenants.entries()) {
    agent.onEvent((event) => {
      events.length = 0;
      const life = lives[i];
      const at = (world.clock.monotonicMillis() - sinceMillis) / 1000;
      if (event.kind === "state" && event.state === "connecting") life?.attempts.push(at);
      if (event.kind === "connected" && life !== undefined) life.connected = at;
    });
    world.timers.after(start.between(0, 30_000), () => agent.start());
  }
  await world.run(30_000 + calmMillis);
  assert.equal(house.bridge.counts().sessions, devices);

  /** @param lose ends every connection; the bridge is another one after `downMillis`. */
  async function act(downMillis: number, lose: (house: House) => void): Promise<Scene> {
    sinceMillis = world.clock.monotonicMillis();
    for (const [i] of lives.entries()) lives[i] = { attempts: [], connected: undefined };
    lose(house);
    if (downMillis > 0) {
      for (const { dialer } of house.tenants) dialer.setRefusing(true);
      await world.run(downMillis);
      for (const { dialer } of house.tenants) dialer.setRefusing(false);
    }
    house.replaceBridge();
    await world.run(80_000 + calmMillis);
    assert.equal(house.bridge.counts().sessions, devices);
    const arrivals: number[] = [];
    for (const { connected = -1 } of lives) {
      const second = Math.floor(connected);
      arrivals[second] = (arrivals[second] ?? 0) + 1;
    }
    return { lives: [...lives], arrivals: Array.from(arrivals, (count) => count ?? 0) };
  }

  return { act };
}

const kill = (house: House): void => {
  for (const { dialer } of house.tenants) dialer.cut("ECONNRESET");
};

const share = (count: number): number => (count / devices) * 100;

function show(t: TestContext, name: string, { lives, arrivals }: Scene): void {
  const tries = lives.reduce((sum, { attempts }) => sum + attempts.length, 0);
  t.diagnostic(
    `${name}: most in one second ${share(Math.max(...arrivals)).toFixed(1)} %, all back after ${arrivals.length} s, ` +
      `${(tries / devices).toFixed(2)} tries each`,
  );
}

test("10,000 devices whose bridge went away come back spread out, and none tries more often than its backoff allows", async (t) => {
  const begun = performance.now();
  const { act } = await arrangeFleet();

  const blink = await act(0, kill);
  const outage = await act(10_000, kill);
  const planned = await act(0, (house) => house.bridge.drain());

  show(t, "killed, another at once", blink);
  show(t, "killed, another after 10 s", outage);
  show(t, "drained", planned);
  t.diagnostic(`${((performance.now() - begun) / 1000).toFixed(1)} s of real time`);

  assert.ok(share(Math.max(...blink.arrivals)) < 22, "a fifth in a second is what is left to chance");
  assert.ok(blink.arrivals.length <= 6);
  assert.ok(share(Math.max(...outage.arrivals)) < 15);
  assert.ok(outage.arrivals.length <= 10 + 64 + 1);
  assert.ok(share(Math.max(...planned.arrivals)) < 13, "the bridge lets them go over ten seconds");
  assert.ok(planned.arrivals.length <= 10 + 5 + 1);
  for (const { lives } of [blink, planned]) assert.ok(lives.every(({ attempts }) => attempts.length === 1));

  // Each wait is drawn evenly below its ceiling: never above it, and half of it on average.
  for (const [failures, ceiling] of ceilingsSeconds.entries()) {
    const waits = outage.lives.flatMap(({ attempts }) => {
      const [from, to] = failures === 0 ? [0, attempts[0]] : [attempts[failures - 1], attempts[failures]];
      return from === undefined || to === undefined ? [] : [to - from];
    });
    if (waits.length < 1_000) continue;
    const mean = waits.reduce((sum, wait) => sum + wait, 0) / waits.length;
    const roundTrip = 0.1;
    assert.ok(
      Math.max(...waits) <= ceiling + roundTrip,
      `${Math.max(...waits)} s after ${failures} failures`,
    );
    assert.ok(
      mean > ceiling * 0.48 && mean < ceiling * 0.52 + roundTrip,
      `${mean} s on average of ${ceiling}`,
    );
  }
});
