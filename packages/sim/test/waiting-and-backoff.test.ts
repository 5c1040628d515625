/**
 * What the agent does while it can do nothing: no clock to believe, no key that signs, no bridge that keeps it.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { AgentEvent, SmallStore } from "@mayfly/device";
import { arrangeHouse, onlyTenant } from "./arrange-house.ts";
import { accepted, arrangeScript, type Script } from "./arrange-script.ts";

const tenMinutes = { lifetimeSeconds: 600, lifetimeFloorSeconds: 60 } as const;

const states = (events: readonly AgentEvent[]): readonly string[] =>
  events.flatMap((event) => (event.kind === "state" ? [event.state] : []));
const count = (events: readonly AgentEvent[], kind: AgentEvent["kind"]): number =>
  events.filter((event) => event.kind === kind).length;

async function arrangeConnected() {
  const house = await arrangeHouse({ seed: "waiting", devices: 1, agent: tenMinutes });
  const tenant = onlyTenant(house);
  tenant.agent.start();
  await house.world.run(2_000);
  assert.equal(tenant.agent.status().state, "connected");
  tenant.events.length = 0;
  return { house, tenant };
}

test("a connection outlives the belief in the clock until its token ends; then nothing is sent until the clock is believed", async () => {
  const { house, tenant } = await arrangeConnected();

  tenant.conduct.clockBecause = "the battery is empty";
  await house.world.run(590_000);
  const before = tenant.agent.status();
  await house.world.run(600_000);
  const after = tenant.agent.status();
  const waited = [...tenant.events];
  tenant.conduct.clockBecause = undefined;
  await house.world.run(2_500);

  assert.deepEqual([before.state, before.waitingBecause], ["connected", "the battery is empty"]);
  assert.deepEqual([after.state, after.waitingBecause], ["waiting_for_clock", "the battery is empty"]);
  // Said once, however often it was asked.
  assert.equal(count(waited, "waiting_for_clock"), 1);
  assert.equal(count(waited, "minted"), 0);
  assert.equal(states(waited).includes("connecting"), false);
  assert.ok(waited.length < 12, `${waited.length} events`);
  assert.equal(tenant.agent.status().state, "connected");
  assert.equal(tenant.agent.status().waitingBecause, undefined);
});

for (const [name, spoil] of [
  ["the clock is not believed", { clockBecause: "sources disagree" }],
  ["the key does not sign", { signerIsBroken: true }],
] as const) {
  test(`when ${name} and the link breaks with the renewal due, the token before serves on while it is safe`, async () => {
    const { house, tenant } = await arrangeConnected();
    Object.assign(tenant.conduct, spoil);
    await house.world.run(560_000);

    tenant.dialer.cut("ECONNRESET");
    await house.world.run(12_000);
    const { state, connects, tokenRemainingSeconds = 0 } = tenant.agent.status();

    assert.ok(state === "connected" || state === "renewing", state);
    assert.equal(connects, 2);
    assert.ok(tokenRemainingSeconds > 0 && tokenRemainingSeconds < 60);
    assert.equal(count(tenant.events, "minted"), 0);
  });
}

test("a bridge that accepts and drops us at once is tried ever more seldom, and the reason is in the status", async () => {
  const connectedAt: number[] = [];
  const { world, agent } = arrangeScript((packet, link) => {
    if (packet.type !== "connect") return "default";
    connectedAt.push(world.clock.monotonicMillis());
    link.say(accepted);
    world.timers.after(5_000, () => link.close());
    return "taken";
  });

  agent.start();
  await world.run(3_600_000);
  const waits = connectedAt.slice(1).map((at, i) => at - (connectedAt[i] ?? 0));

  // Ceilings of 5 to 120 s: from the sixth on a wait of a minute on average.
  assert.ok(connectedAt.length > 30 && connectedAt.length < 90, `${connectedAt.length} CONNECTs in an hour`);
  assert.ok(waits.slice(8).reduce((sum, wait) => sum + wait, 0) / (waits.length - 8) > 45_000);
  const { retry, state } = agent.status();
  if (state === "backing_off") assert.equal(retry?.because, "kicked");
});

test("a connection that held for half a minute is stable: losing it costs a wait as after the first failure", async () => {
  const connectedAt: number[] = [];
  const { world, agent } = arrangeScript((packet, link) => {
    if (packet.type !== "connect") return "default";
    connectedAt.push(world.clock.monotonicMillis());
    link.say(accepted);
    world.timers.after(31_000, () => link.close());
    return "taken";
  });

  agent.start();
  await world.run(3_600_000);

  for (const [i, at] of connectedAt.slice(1).entries()) {
    assert.ok(at - (connectedAt[i] ?? 0) < 31_000 + 5_100);
  }
});

test("a link that comes up after its token has ended carries no CONNECT", async () => {
  let opened = 0;
  let delayMillis = 12_000;
  const { world, agent, of } = arrangeScript(
    () => "default",
    { lifetimeSeconds: 10, lifetimeFloorSeconds: 10 },
    {},
    ({ timers }, connect) => ({
      connect: (events) =>
        connect({
          ...events,
          received: (bytes) => events.received(bytes),
          closed: (because) => events.closed(because),
          opened: () => {
            timers.after(delayMillis, () => {
              opened += 1;
              events.opened();
            });
          },
        }),
    }),
  );

  agent.start();
  await world.run(60_000);
  const slow = { opened, connects: of("connect").length, because: agent.status().retry?.because };
  delayMillis = 100;
  await world.run(90_000);

  assert.ok(slow.opened >= 2, `${slow.opened} links`);
  assert.equal(slow.connects, 0);
  assert.ok(agent.status().connects >= 1);
});

test("a bridge that does not know the method is asked with it once a month, not after each start", async () => {
  const values = new Map<string, Uint8Array>();
  const store: SmallStore = {
    read: (key) => values.get(key),
    write: async (key, value) => void values.set(key, value),
  };
  const sha256 = { digest: (bytes: Uint8Array) => createHash("sha256").update(bytes).digest() };
  const script: Script = (packet, link) => {
    if (packet.type !== "connect") return "default";
    const isByMethod = packet.properties?.authenticationMethod !== undefined;
    link.say(isByMethod ? { ...accepted, reasonCode: 0x8c } : accepted);
    return "taken";
  };
  const start = async (bridge: string): Promise<readonly (number | undefined)[]> => {
    const { world, agent, events } = arrangeScript(script, { bridge }, {}, () => ({ store, sha256 }));
    agent.start();
    await world.run(1_000);
    assert.deepEqual([agent.status().state, agent.status().authentication], ["connected", "password"]);
    return events.flatMap((event) => (event.kind === "refused" ? [event.reasonCode] : []));
  };

  const first = await start("one.example:8883");
  const second = await start("one.example:8883");
  const other = await start("other.example:8883");

  assert.deepEqual([first, second, other], [[0x8c], [], [0x8c]]);
});
