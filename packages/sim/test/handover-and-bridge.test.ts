/**
 * Renewal by handover with the real bridge: MQTT 3.1.1, Clean Session 0, traffic both ways all the while.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Decode, utf8Encode } from "@mayfly/core";
import type { CommandOutcome } from "@mayfly/server";
import { arrangeHouse, onlyTenant, registry } from "./arrange-house.ts";

const lamp = { ...registry, device: "lamp-0" };

/** A device that hands over each minute, is told something every 0.7 s and takes up to half a second over each. */
async function liveWithHandovers(seed: string, seconds: number, weather: "calm" | "rough") {
  const handled: string[] = [];
  const house = await arrangeHouse({
    seed,
    devices: 1,
    pieceBytesMax: 60,
    agent: {
      protocolVersion: 4,
      cleanSession: false,
      lifetimeSeconds: 60,
      lifetimeFloorSeconds: 60,
      keepAliveSeconds: 10,
    },
    handlers: {
      command: (payload) =>
        new Promise((resolve) => {
          handled.push(utf8Decode(payload));
          house.world.timers.after(pace.between(0, 500), resolve);
        }),
    },
  });
  const { world, bridge } = house;
  const pace = world.random("handler");
  const { agent, events, dialer } = onlyTenant(house);
  const acknowledged: string[] = [];
  const outcomes = new Map<string, CommandOutcome>();
  agent.start();
  await world.run(2_000);

  const published = Array.from({ length: seconds * 4 }, (_, i) => `m-${i}`);
  for (const [i, text] of published.entries()) {
    world.timers.after(i * 250, () => {
      const answer = agent.publish(utf8Encode(text));
      assert.equal(answer.kind, "accepted");
      if (answer.kind !== "accepted") return;
      void answer.outcome.then((outcome) => outcome.kind === "acknowledged" && acknowledged.push(text));
    });
  }
  const commands = Array.from({ length: Math.floor(seconds / 0.7) }, (_, i) => `c-${i}`);
  for (const [i, text] of commands.entries()) {
    world.timers.after(i * 700, () =>
      bridge.sendCommand(lamp, { payload: utf8Encode(text), subfolder: "" }, (outcome) =>
        outcomes.set(text, outcome),
      ),
    );
  }
  const sky = world.random("weather");
  for (let at = 0; weather === "rough" && at < seconds * 1_000; at += sky.between(2_000, 30_000)) {
    const isCut = sky.between(0, 1) === 0;
    world.timers.after(at, () => (isCut ? dialer.cut("ECONNRESET") : dialer.silence()));
  }
  await world.run(seconds * 1_000 + (weather === "rough" ? 120_000 : 5_000));
  return {
    agent,
    events,
    published,
    acknowledged,
    commands,
    handled,
    outcomes,
    delivered: await house.pullAll(),
    counts: bridge.counts(),
  };
}

test("a session handed over 50 times loses nothing acknowledged and no command", async () => {
  const life = await liveWithHandovers("fifty", 2_800, "calm");

  const status = life.agent.status();
  assert.ok(status.renewals >= 50, `${status.renewals} renewals`);
  assert.equal(status.renewalsBy.handover, status.renewals);
  assert.deepEqual(life.acknowledged, life.published);
  assert.deepEqual([...new Set(life.delivered)], life.published);
  assert.deepEqual([...new Set(life.handled)], life.commands);
  assert.deepEqual(
    life.events.filter(({ kind }) => kind === "connection_lost" || kind === "refused"),
    [],
  );
  assert.deepEqual([life.counts.sessions, life.counts.connections], [1, 1]);
  assert.deepEqual(new Set(life.outcomes.values()), new Set(["delivered"]));
  // Handed over twice is allowed, but the bridge has what it needs to make it rare.
  assert.ok(
    life.handled.length - life.commands.length <= 5,
    `${life.handled.length} of ${life.commands.length}`,
  );
  // Settling what is in flight, and one round trip.
  assert.ok(status.longestGapMillis < 250, `${status.longestGapMillis} ms`);
});

test("through cuts and silence every command the bridge called delivered or queued was handled, and every message acknowledged arrived", async () => {
  let handovers = 0;
  for (let i = 0; i < 6; i++) {
    const seed = `rough handover ${i}`;
    const life = await liveWithHandovers(seed, 400, "rough");

    const replay = `replay: liveWithHandovers("${seed}", 400, "rough")`;
    const promised = life.commands.filter((text) =>
      ["delivered", "queued"].includes(life.outcomes.get(text) ?? ""),
    );
    const handled = new Set(life.handled);
    const delivered = new Set(life.delivered);
    assert.ok(promised.length > 300, replay);
    assert.deepEqual(
      promised.filter((text) => !handled.has(text)),
      [],
      replay,
    );
    assert.deepEqual(
      life.acknowledged.filter((text) => !delivered.has(text)),
      [],
      replay,
    );
    assert.equal(life.agent.status().queuedMessages, 0, replay);
    handovers += life.agent.status().renewalsBy.handover;
  }
  assert.ok(handovers > 12, `${handovers} handovers`);
});

/** MQTT 3.1.1 on a machine with room for one link; tokens of a minute. */
async function liveOnOneLink() {
  const house = await arrangeHouse({
    seed: "one link",
    devices: 1,
    hasOneLink: true,
    agent: { protocolVersion: 4, lifetimeSeconds: 60, lifetimeFloorSeconds: 60, keepAliveSeconds: 10 },
  });
  const tenant = onlyTenant(house);
  tenant.agent.start();
  await house.world.run(2_000);
  return { ...tenant, world: house.world };
}

test("where a machine has one link, a renewal costs the connection: it counts, and so does its gap", async () => {
  const { agent, events, world } = await liveOnOneLink();

  await world.run(600_000);

  const status = agent.status();
  assert.ok(status.renewals >= 10, `${status.renewals} renewals`);
  assert.equal(status.renewalsBy.reconnect, status.connects - 1);
  const gaps = events.flatMap((event) => (event.kind === "renewed" ? [event.gapMillis] : []));
  assert.equal(gaps.length, status.renewals);
  // Two round trips for the link and one for CONNECT, 5 to 40 ms each way.
  assert.ok(
    gaps.every((gap) => gap >= 30 && gap < 500),
    gaps.join(),
  );
});

test("an outage that begins with a renewal on the only link is the network's, and no gap of a credential", async () => {
  const { agent, dialer, world } = await liveOnOneLink();
  dialer.setRefusing(true);
  await world.run(30_000);
  assert.equal(agent.status().state, "connected", "the renewal is not due yet, or this shows nothing");
  await world.run(30_000);
  const during = agent.status();

  dialer.setRefusing(false);
  await world.run(60_000);

  const status = agent.status();
  assert.notEqual(during.state, "connected");
  assert.equal(status.state, "connected");
  assert.ok(status.longestGapMillis < 500, `${status.longestGapMillis} ms`);
});
