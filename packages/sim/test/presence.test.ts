/** Presence of a real agent at a real bridge: its tokens come and go, it is online once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { lingerMillis } from "@mayfly/server";
import { arrangeHouse, type House, onlyTenant, registry } from "./arrange-house.ts";

function told({ presence: { history } }: House): readonly string[] {
  const lines: string[] = [];
  for (let event = history.next(registry, 0); event !== undefined; ) {
    lines.push(`${event.presence.state} ${event.presence.because}`);
    event = history.next(registry, event.sequence);
  }
  return lines;
}

for (const [renewal, manner, policy] of [
  ["reauthentication", { protocolVersion: 5 }, {}],
  ["handover", { protocolVersion: 4, cleanSession: false }, {}],
  ["reconnect", { protocolVersion: 4 }, { keepSessions: false }],
] as const) {
  test(`an agent that renews by ${renewal} through three tokens is online once`, async () => {
    const agent = { ...manner, lifetimeSeconds: 60, lifetimeFloorSeconds: 60 };
    const house = await arrangeHouse({ seed: `present by ${renewal}`, devices: 1, agent, policy });
    const tenant = onlyTenant(house);

    tenant.agent.start();
    while (tenant.agent.status().renewals < 3) await house.world.run(1_000);
    await house.world.run(lingerMillis);

    assert.ok(tenant.agent.status().renewalsBy[renewal] >= 3);
    assert.deepEqual(told(house), ["online connected"]);
  });
}

test("an agent that is stopped is offline 10 s later", async () => {
  const house = await arrangeHouse({ seed: "stopped", devices: 1 });
  const tenant = onlyTenant(house);
  tenant.agent.start();
  await house.world.run(2_000);

  void tenant.agent.stop();
  await house.world.run(lingerMillis + 1_000);

  assert.deepEqual(told(house), ["online connected", "offline client_disconnected"]);
});
