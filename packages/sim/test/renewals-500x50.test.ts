/**
 * A fleet of both kinds renews together: 250 devices by AUTH, 250 by handover, fifty times each, with QoS 1 both ways
 * at the very moment of each renewal.
 *
 * Real agents, the real bridge and its stores' memory twins in virtual time; every token is signed and verified
 * (P-256). Each new token lets loose one event and one command at once, and one of each within the 200 ms that a
 * renewal takes.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Decode, utf8Encode } from "@mayfly/core";
import type { RenewalKind } from "@mayfly/device";
import type { CommandOutcome } from "@mayfly/server";
import { arrangeHouse, registry, type Tenant } from "./arrange-house.ts";

const minute = { lifetimeSeconds: 60, lifetimeFloorSeconds: 60 } as const;
/** Signing, two round trips to open a link, one for the answer. */
const renewalMillis = 200;

/** Every other device is one of MQTT 3.1.1 whose Session is kept. */
function wayOf(id: string): Exclude<RenewalKind, "reconnect"> {
  return Number(id.slice(id.lastIndexOf("-") + 1)) % 2 === 0 ? "reauthentication" : "handover";
}

interface Life {
  readonly seed: string;
  readonly devices: number;
  readonly seconds: number;
  readonly weather: "calm" | "rough";
}

async function liveThroughRenewals({ seed, devices, seconds, weather }: Life) {
  // A silent link is noticed by PINGREQ, and each costs virtual work.
  const keepAliveSeconds = weather === "rough" ? 10 : 60;
  const handled: string[] = [];
  const house = await arrangeHouse({
    seed,
    devices,
    agent: (id) =>
      wayOf(id) === "reauthentication"
        ? { ...minute, keepAliveSeconds }
        : { ...minute, keepAliveSeconds, protocolVersion: 4, cleanSession: false },
    handlers: (id) => ({
      command: (payload) => {
        handled.push(`${id} ${utf8Decode(payload)}`);
      },
    }),
  });
  const { world, bridge, tenants } = house;
  const published: string[] = [];
  const acknowledged: string[] = [];
  const outcomes = new Map<string, CommandOutcome>();
  let isOver = false;

  const exchange = ({ id, agent }: Tenant, name: string): void => {
    const text = `${id} ${name}`;
    const answer = agent.publish(utf8Encode(text));
    if (answer.kind === "accepted") {
      published.push(text);
      void answer.outcome.then((outcome) => outcome.kind === "acknowledged" && acknowledged.push(text));
    }
    const command = { payload: utf8Encode(name), subfolder: "" };
    bridge.sendCommand({ ...registry, device: id }, command, (outcome) => {
      assert.equal(outcomes.has(text), false, `${text} was answered twice`);
      outcomes.set(text, outcome);
    });
  };
  for (const tenant of tenants) {
    const pace = world.random(`pace/${tenant.id}`);
    let tokens = 0;
    tenant.agent.onEvent(({ kind }) => {
      if (kind !== "minted" || isOver) return;
      tokens += 1;
      // The first token belongs to the first connection, which nobody can send a command to yet.
      if (tokens === 1) return;
      const number = tokens;
      exchange(tenant, `${number} at once`);
      world.timers.after(pace.between(0, renewalMillis), () => exchange(tenant, `${number} within`));
    });
    // Spread over a token's life, as a fleet comes back.
    world.timers.after(pace.between(0, 50_000), () => tenant.agent.start());
    const sky = world.random(`weather/${tenant.id}`);
    for (let at = 60_000; weather === "rough" && at < seconds * 1_000; at += sky.between(5_000, 60_000)) {
      const isCut = sky.between(0, 1) === 0;
      world.timers.after(at, () => (isCut ? tenant.dialer.cut("ECONNRESET") : tenant.dialer.silence()));
    }
  }

  await world.run(52_000);
  const owners: (readonly string[])[] = [];
  for (let second = 52; second < seconds; second += 10) {
    await world.run(10_000);
    owners.push(bridge.sessions().map(({ principal }) => principal.deviceId));
  }
  isOver = true;
  await world.run(weather === "rough" ? 120_000 : 5_000);
  const ids = tenants.map(({ id }) => id);
  const lived = {
    ids,
    owners,
    published,
    acknowledged,
    handled,
    outcomes,
    statuses: tenants.map(({ id, agent }) => ({ way: wayOf(id), ...agent.status() })),
    sessions: bridge.sessions().map(({ principal }) => principal.deviceId),
    connections: bridge.counts().connections,
    links: tenants.reduce((sum, { dialer }) => sum + dialer.links, 0),
    lost: tenants.flatMap(({ events }) =>
      events.filter(({ kind }) => kind === "connection_lost" || kind === "refused"),
    ),
    pulled: await house.pullAll(),
  };
  for (const { agent } of tenants) agent.stop();
  await world.run(10_000);
  return { ...lived, tasks: world.tasksRun, countsAfter: bridge.counts() };
}

const missingFrom = (found: readonly string[], wanted: readonly string[]): readonly string[] => {
  const set = new Set(found);
  return wanted.filter((text) => !set.has(text));
};
/** Each once, whatever the order. */
const sorted = (texts: readonly string[]): readonly string[] => texts.toSorted();
const promised = (outcomes: ReadonlyMap<string, CommandOutcome>): readonly string[] =>
  [...outcomes].flatMap(([text, outcome]) => (outcome === "delivered" || outcome === "queued" ? [text] : []));
const nothing = (counts: object): readonly (readonly [string, unknown])[] =>
  Object.entries(counts).filter(([, count]) => count !== 0);

test("500 devices renew 50 times, half by AUTH and half by handover: nothing acknowledged is lost, no command is lost, no session is without its one owner", async (t) => {
  const before = process.cpuUsage();
  const life = await liveThroughRenewals({ seed: "500 x 50", devices: 500, seconds: 2_860, weather: "calm" });

  for (const { way, ...status } of life.statuses) {
    assert.ok(status.renewals >= 50, `${status.renewals} renewals`);
    assert.equal(status.renewalsBy[way], status.renewals);
    assert.equal(status.connects, way === "reauthentication" ? 1 : 1 + status.renewals);
  }
  const renewals = life.statuses.reduce((sum, status) => sum + status.renewals, 0);
  assert.ok(life.published.length >= 2 * 500 * 50, `${life.published.length} published`);
  assert.deepEqual(sorted(life.acknowledged), sorted(life.published));
  const byAuth = (text: string) => wayOf(text.split(" ")[0] ?? "") === "reauthentication";
  assert.deepEqual(sorted(life.pulled.filter(byAuth)), sorted(life.published.filter(byAuth)), "exactly once");
  assert.deepEqual(sorted([...new Set(life.pulled)]), sorted(life.published), "at least once");
  assert.equal(life.outcomes.size, life.published.length);
  assert.deepEqual(new Set(life.outcomes.values()), new Set(["delivered"]));
  assert.deepEqual(sorted([...new Set(life.handled)]), sorted([...life.outcomes.keys()]));
  assert.deepEqual(life.lost, []);
  for (const owners of [...life.owners, life.sessions]) assert.deepEqual(sorted(owners), sorted(life.ids));
  assert.deepEqual([life.connections, life.links], [500, 500]);
  assert.deepEqual(nothing(life.countsAfter), []);
  const { user, system } = process.cpuUsage(before);
  const gap = Math.max(...life.statuses.map(({ longestGapMillis }) => longestGapMillis));
  t.diagnostic(
    `${renewals} renewals, ${life.published.length} events, ${life.pulled.length} pulled, ${life.outcomes.size} commands, ` +
      `${life.handled.length} handled, longest gap ${gap.toFixed(1)} ms, ${life.tasks} tasks, ` +
      `${((user + system) / 1e6).toFixed(1)} s CPU`,
  );
});

test("the same through cuts and silence: what was acknowledged arrived, what was called delivered or queued was handled, and each device ends with one session", async () => {
  const life = await liveThroughRenewals({
    seed: "rough fleet",
    devices: 40,
    seconds: 860,
    weather: "rough",
  });

  for (const way of ["reauthentication", "handover"] as const) {
    const renewals = life.statuses.reduce((sum, { renewalsBy }) => sum + renewalsBy[way], 0);
    assert.ok(renewals >= 60, `${renewals} by ${way}`);
  }
  assert.ok(life.lost.length > 200, `${life.lost.length} connections lost`);
  assert.deepEqual(sorted(life.acknowledged), sorted(life.published));
  assert.deepEqual(missingFrom(life.pulled, life.published), []);
  assert.ok(promised(life.outcomes).length > 500, `${promised(life.outcomes).length} promised`);
  assert.equal(life.outcomes.size, life.published.length, "every command was answered");
  assert.deepEqual(missingFrom(life.handled, promised(life.outcomes)), []);
  for (const owners of life.owners) assert.equal(new Set(owners).size, owners.length);
  assert.deepEqual(sorted(life.sessions), sorted(life.ids));
  assert.deepEqual([life.connections, life.links], [40, 40]);
  assert.deepEqual(nothing(life.countsAfter), []);
});
