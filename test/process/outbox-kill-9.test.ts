/**
 * "Nothing that was durable is lost", put to the test with kill -9 of the agent and of the bridge while messages flow.
 *
 * The agent says on its standard output what it was told is durable; an application pulls from the bridge, after all of it
 * is over, what arrived. With MQTT 5 the bridge drops what was sent twice, by its id, as long as it lives itself; across
 * its own death the application does, by the same id. MQTT 3.1.1 has no place for an id, and there the envelope has it.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { unwrapEnvelope, utf8Decode } from "@mayfly/core";
import { type BridgeProcess, startBridge } from "./bridge-process.ts";
import { OutboxProcess, orderOf } from "./outbox-process.ts";

const publishEveryMillis = 50;

interface Course {
  readonly protocolVersion: 4 | 5;
  readonly envelope: boolean;
  readonly agentKills: number;
  /** Every other life of the agent, so at most half as many. */
  readonly bridgeKills: number;
}

/**
 * Publishes 20 times a second, kills agent and bridge at instants drawn anew, and lets what is left drain.
 *
 * @returns the names of the messages whose `durable` was told, and how many the last agent sent again.
 */
async function killAndDrain(
  t: TestContext,
  bridge: BridgeProcess,
  device: string,
  { protocolVersion, envelope, agentKills, bridgeKills }: Course,
): Promise<{ readonly durable: readonly string[]; readonly resent: string }> {
  const keyFile = await bridge.createDevice(device);
  const folder = join(bridge.folder, `${device}-outbox`);
  const order = { ...orderOf(bridge, device, keyFile, folder), protocolVersion, envelope };
  const durable: string[] = [];
  let bridgeKillsLeft = bridgeKills;
  for (let life = 1; life <= agentKills; life++) {
    const agent = new OutboxProcess({
      ...order,
      task: { publishEveryMillis, burst: 8, name: `${device}-${life}` },
    });
    t.after(() => agent.kill());
    await agent.until("connected");
    await moreDurable(agent, 40);
    if (life % 2 === 0 && bridgeKillsLeft > 0) {
      bridgeKillsLeft -= 1;
      await bridge.stop("SIGKILL");
      // Nobody is there for a while, and what is published is kept.
      await moreDurable(agent, 40);
      if (life % 4 === 0) await agent.kill();
      await bridge.start();
      if (life % 4 !== 0) await agent.until("connected", 2);
    }
    await setTimeout(Math.random() * 2 * publishEveryMillis);
    await agent.kill();
    durable.push(...agent.said("durable"));
  }
  assert.equal(bridgeKillsLeft, 0);
  const last = new OutboxProcess({ ...order, task: "drain" });
  t.after(() => last.kill());
  await last.end();
  return { durable, resent: last.said("drained")[0] ?? assert.fail("it did not drain") };
}

function moreDurable(agent: OutboxProcess, most: number): Promise<void> {
  return agent.until("durable", agent.said("durable").length + 1 + Math.floor(Math.random() * most));
}

function countRepeats(names: readonly string[]): number {
  return names.length - new Set(names).size;
}

test("kill -9 of the agent 10 times: all that was durable arrives, in MQTT 5 exactly once", async (t) => {
  const bridge = await startBridge(t);

  const { durable, resent } = await killAndDrain(t, bridge, "five", {
    protocolVersion: 5,
    envelope: false,
    agentKills: 10,
    bridgeKills: 0,
  });
  const arrived = (await bridge.pull()).map(({ text }) => text);

  assert.deepEqual(missingOf(durable, arrived), []);
  assert.equal(countRepeats(arrived), 0);
  assert.ok(durable.length >= 100, `${durable.length} messages were durable`);
  t.diagnostic(
    `${durable.length} durable, ${arrived.length} arrived, none twice; sent again at last: ${resent}`,
  );
});

test("kill -9 of the bridge 5 times and of the agent as often: all that was durable arrives, once by its id", async (t) => {
  const bridge = await startBridge(t);

  const { durable } = await killAndDrain(t, bridge, "both", {
    protocolVersion: 5,
    envelope: false,
    agentKills: 10,
    bridgeKills: 5,
  });
  const arrived = await bridge.pull();

  const byId = new Map(arrived.map(({ deviceMessageId, text }) => [deviceMessageId, text]));
  const names = [...byId.values()];
  assert.deepEqual(missingOf(durable, names), []);
  assert.equal(countRepeats(names), 0);
  assert.equal(byId.has(""), false);
  t.diagnostic(
    `${durable.length} durable, ${arrived.length} arrived, ${arrived.length - byId.size} of them again`,
  );
});

test("the same in MQTT 3.1.1: all that was durable arrives, once by the ids in their envelopes", async (t) => {
  const bridge = await startBridge(t);

  const { durable } = await killAndDrain(t, bridge, "four", {
    protocolVersion: 4,
    envelope: true,
    agentKills: 4,
    bridgeKills: 2,
  });
  const arrived = (await bridge.pull()).map(
    ({ bytes }) => unwrapEnvelope(bytes) ?? assert.fail("no envelope"),
  );

  const byId = new Map(arrived.map(({ messageId, payload }) => [messageId, utf8Decode(payload)]));
  const names = [...byId.values()];
  assert.deepEqual(missingOf(durable, names), []);
  assert.equal(countRepeats(names), 0);
  t.diagnostic(
    `${durable.length} durable, ${arrived.length} arrived, ${arrived.length - byId.size} of them again`,
  );
});

function missingOf(durable: readonly string[], arrived: readonly string[]): string[] {
  const there = new Set(arrived);
  return durable.filter((name) => !there.has(name));
}
