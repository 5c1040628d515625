/**
 * A device whose clock is wrong and believed, against the real bridge: what a refusal for the token's time leads to.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentEvent } from "@mayfly/device";
import { arrangeHouse, onlyTenant, registry, type Tenant } from "./arrange-house.ts";

const lamp = { ...registry, device: "lamp-0" };
const hourSeconds = 3_600;

async function arrange(agent: Parameters<typeof arrangeHouse>[0]["agent"] = {}) {
  const house = await arrangeHouse({ seed: "clock doubt", devices: 1, agent });
  return { house, tenant: onlyTenant(house) };
}

function eventsOf<K extends AgentEvent["kind"]>(tenant: Tenant, kind: K): Extract<AgentEvent, { kind: K }>[] {
  return tenant.events.filter((event): event is Extract<AgentEvent, { kind: K }> => event.kind === kind);
}

for (const [name, offsetSeconds] of [
  ["behind", -2 * hourSeconds],
  ["ahead", hourSeconds],
] as const) {
  test(`a clock that is ${name} is asked once, with the bridge's time, and the token made after it is accepted`, async () => {
    const { house, tenant } = await arrange();
    tenant.conduct.clockOffsetSeconds = offsetSeconds;
    tenant.conduct.correct = () => {
      tenant.conduct.clockOffsetSeconds = 0;
      return "corrected";
    };

    tenant.agent.start();
    await house.world.run(2_000);

    const [hint] = tenant.conduct.corrections;
    assert.equal(tenant.agent.status().state, "connected");
    assert.equal(tenant.conduct.corrections.length, 1);
    assert.ok(hint !== undefined && hint.sentMillis < hint.receivedMillis);
    const trueSeconds = house.world.clock.wallSeconds() - 2 + hint.receivedMillis / 1000;
    assert.ok(Math.abs(hint.serverTime - trueSeconds) < 0.1, `${hint.serverTime - trueSeconds} s`);
    assert.equal(eventsOf(tenant, "minted").length, 2);
    assert.equal(eventsOf(tenant, "refused").length, 1);
    // Our own bridge said what time it is: it knows the method, and there is no other form to try.
    assert.equal(tenant.agent.status().authentication, "method");
  });
}

test("MQTT 3.1.1 cannot say why it refuses: the clock is asked all the same, without a hint", async () => {
  const { house, tenant } = await arrange({ protocolVersion: 4 });
  tenant.conduct.clockOffsetSeconds = hourSeconds;
  tenant.conduct.correct = () => {
    tenant.conduct.clockOffsetSeconds = 0;
    return "corrected";
  };

  tenant.agent.start();
  await house.world.run(2_000);

  assert.deepEqual(tenant.conduct.corrections, [undefined]);
  assert.equal(tenant.agent.status().state, "connected");
});

test("a clock that cannot be corrected is asked once, and the agent backs off", async () => {
  const { house, tenant } = await arrange();
  tenant.conduct.clockOffsetSeconds = hourSeconds;

  tenant.agent.start();
  await house.world.run(1_200);
  const tokensAtOnce = eventsOf(tenant, "minted").length;
  await house.world.run(600_000);
  const refusals = eventsOf(tenant, "refused").length;
  tenant.conduct.clockOffsetSeconds = 0;
  await house.world.run(121_000);

  assert.equal(tokensAtOnce, 1, "the same clock would sign what was refused already");
  assert.equal(tenant.conduct.corrections.length, 1);
  assert.deepEqual(eventsOf(tenant, "clock_asked"), [{ kind: "clock_asked", outcome: "unchanged" }]);
  // Ceilings of 4, 8, 16, 32, 64 and 120 s.
  assert.ok(refusals >= 6 && refusals <= 30, `${refusals} refusals in 10 minutes`);
  assert.equal(tenant.agent.status().state, "connected");
});

test("a clock that says it is corrected and is refused again gets no third token at once", async () => {
  const { house, tenant } = await arrange();
  tenant.conduct.clockOffsetSeconds = hourSeconds;
  tenant.conduct.correct = () => "corrected";

  tenant.agent.start();
  await house.world.run(1_500);
  const { state, retry } = tenant.agent.status();

  assert.equal(tenant.conduct.corrections.length, 1);
  assert.equal(eventsOf(tenant, "minted").length, 2);
  assert.deepEqual([state, retry?.because], ["backing_off", "refused"]);
});

test("a clock that never answers is given up after 30 s", async () => {
  const { house, tenant } = await arrange();
  tenant.conduct.clockOffsetSeconds = hourSeconds;
  tenant.conduct.correct = () => undefined;

  tenant.agent.start();
  await house.world.run(29_000);
  const early = eventsOf(tenant, "minted").length;
  await house.world.run(10_000);

  assert.equal(early, 1);
  assert.ok(eventsOf(tenant, "minted").length >= 2);
});

test("a refusal that our bridge's time does not explain asks the clock nothing", async () => {
  const { house, tenant } = await arrange();
  await house.store.updateDevice(lamp, { blocked: true });

  tenant.agent.start();
  await house.world.run(60_000);

  assert.ok(eventsOf(tenant, "refused").length > 2);
  assert.deepEqual(tenant.conduct.corrections, []);
  assert.equal(tenant.agent.status().authentication, "method");
});

test("a re-authentication refused for its time costs one reconnect, and the clock is asked before the next token", async () => {
  const { house, tenant } = await arrange({ lifetimeSeconds: 600, lifetimeFloorSeconds: 60 });
  tenant.agent.start();
  await house.world.run(2_000);
  tenant.conduct.clockOffsetSeconds = hourSeconds;
  tenant.conduct.correct = () => {
    tenant.conduct.clockOffsetSeconds = 0;
    return "corrected";
  };

  await house.world.run(598_000);

  const { connects, renewals, state } = tenant.agent.status();
  // One by the old token, and one by the token of the corrected clock.
  assert.deepEqual([connects, renewals, state], [3, 1, "connected"]);
  const [hint, ...more] = tenant.conduct.corrections;
  assert.ok(
    hint !== undefined && hint.sentMillis < hint.receivedMillis,
    "the bridge's time came with its DISCONNECT",
  );
  const startSeconds = house.world.clock.wallSeconds() - 600;
  assert.ok(hint.serverTime > startSeconds + hint.sentMillis / 1000 - 0.001);
  assert.ok(hint.serverTime < startSeconds + hint.receivedMillis / 1000 + 0.001);
  assert.deepEqual(more, []);
  assert.equal(eventsOf(tenant, "minted").length, 3);
});

test("once a new token was taken the clock may be asked again", async () => {
  const { house, tenant } = await arrange({ lifetimeSeconds: 600, lifetimeFloorSeconds: 60 });
  tenant.conduct.correct = () => {
    tenant.conduct.clockOffsetSeconds = 0;
    return "corrected";
  };

  tenant.agent.start();
  for (let round = 0; round < 2; round++) {
    tenant.conduct.clockOffsetSeconds = hourSeconds;
    await house.world.run(600_000);
  }

  assert.equal(tenant.conduct.corrections.length, 2);
  assert.equal(tenant.agent.status().state, "connected");
});

test("stopped while the clock is asked, the agent makes no token", async () => {
  const { house, tenant } = await arrange();
  tenant.conduct.clockOffsetSeconds = hourSeconds;
  tenant.conduct.correct = () => "corrected";
  tenant.agent.start();
  await house.world.run(400);
  assert.equal(tenant.conduct.corrections.length, 1);

  tenant.agent.stop();
  await house.world.run(60_000);

  assert.equal(eventsOf(tenant, "minted").length, 1);
  assert.equal(house.world.tasksWaiting, 0);
});
