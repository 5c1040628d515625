/**
 * Ten minutes without a network, and a clock that is two minutes off for hours, in virtual time: the real agent and the real
 * bridge, and the status as a person would read it meanwhile.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Encode } from "@mayfly/core";
import { describeStatus } from "../packages/cli/src/agent-service/status-words.ts";
import { arrangeHouse, type House, onlyTenant } from "../packages/sim/test/arrange-house.ts";
import { saysOnPage } from "./support/faults-page.ts";

const minute = 60_000;

/** A house of one whose device publishes every ten seconds from now on. */
async function arrange(seed: string) {
  const house = await arrangeHouse({ seed, devices: 1 });
  const tenant = onlyTenant(house);
  const accepted: string[] = [];
  let isOver = false;
  const publish = (): void => {
    if (isOver) return;
    const text = `m-${accepted.length}`;
    const answer = tenant.agent.publish(utf8Encode(text), { messageId: text });
    if (answer.kind === "accepted") accepted.push(text);
    house.world.timers.after(10_000, publish);
  };
  tenant.agent.start();
  publish();
  await house.world.run(minute);
  /** Nothing more is published, and what is on its way arrives. */
  const finish = async (): Promise<void> => {
    isOver = true;
    await house.world.run(5_000);
  };
  return { house, tenant, accepted, finish };
}

function words(house: House): string {
  const lines = describeStatus({
    device: "lamp-0",
    bridge: "bridge",
    mqtt: 5,
    upSeconds: 0,
    commandsWaiting: 0,
    commandsTaken: 0,
    agent: onlyTenant(house).agent.status(),
  });
  return lines.slice(0, lines.indexOf("")).join("\n");
}

test("ten minutes without a network cost no message, in order, and the status counts what waits", async (t) => {
  const [down] = saysOnPage(t.name);
  const { house, tenant, accepted, finish } = await arrange("ten minutes");

  tenant.dialer.setRefusing(true);
  tenant.dialer.cut("ECONNRESET");
  await house.world.run(10 * minute);
  const during = words(house);
  tenant.dialer.setRefusing(false);
  await house.world.run(2 * minute);
  await finish();

  assert.match(during, down);
  assert.match(during, /\n.*; 6\d messages kept for then\.$/);
  assert.equal(words(house), "Connected.");
  const { connects, queuedMessages } = tenant.agent.status();
  assert.deepEqual([connects, queuedMessages], [2, 0]);
  assert.deepEqual(await house.pullAll(), accepted);
});

test("ten minutes of silence are found out by the keep-alive, and cost no message either", async (t) => {
  const [doubt, down = doubt] = saysOnPage(t.name);
  const { house, tenant, accepted, finish } = await arrange("ten silent minutes");

  /** Links that are opened meanwhile fall silent as well. */
  const runSilently = async (seconds: number): Promise<void> => {
    for (let i = 0; i < seconds * 100; i++) {
      tenant.dialer.silence();
      await house.world.run(10);
    }
  };
  await runSilently(44);
  const doubtful = words(house);
  await runSilently(556);
  const during = words(house);
  await house.world.run(2 * minute);
  await finish();

  assert.match(doubtful, doubt);
  assert.match(during, down);
  assert.equal(words(house), "Connected.");
  const delivered = await house.pullAll();
  assert.deepEqual([...new Set(delivered)], accepted);
});

for (const [aheadSeconds, direction] of [
  [120, "ahead of"],
  [-120, "behind"],
] as const) {
  test(`a clock two minutes ${direction} the bridge's: what follows, and what the status says of it`, async (t) => {
    const [what] = saysOnPage(t.name);
    const { house, tenant, accepted, finish } = await arrange(`clock ${aheadSeconds}`);
    const expected = tenant.agent.status().renewals;

    tenant.conduct.clockOffsetSeconds = aheadSeconds;
    await house.world.run(120 * minute);
    const during = words(house);
    tenant.conduct.clockOffsetSeconds = 0;
    await house.world.run(5 * minute);
    await finish();

    assert.match(during, what);
    assert.equal(words(house), "Connected.");
    assert.ok(tenant.agent.status().renewals > expected);
    assert.equal(tenant.agent.status().queuedMessages, 0);
    assert.deepEqual([...new Set(await house.pullAll())], accepted);
  });
}
