/**
 * Configs and commands between the real agent and the real bridge: versions, acknowledgements, and handlers that fail or
 * never answer.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Decode, utf8Encode } from "@mayfly/core";
import type { AgentHandlers, AgentOptions } from "@mayfly/device";
import type { CommandOutcome } from "@mayfly/server";
import { arrangeHouse, onlyTenant, registry } from "./arrange-house.ts";

const lamp = { ...registry, device: "lamp-0" } as const;

const manners: readonly { readonly name: string; readonly agent: Partial<AgentOptions> }[] = [
  { name: "v5", agent: { protocolVersion: 5 } },
  { name: "v5, Session kept", agent: { protocolVersion: 5, cleanSession: false } },
  { name: "v4", agent: { protocolVersion: 4 } },
  { name: "v4, Session kept", agent: { protocolVersion: 4, cleanSession: false } },
];

async function arrange(agent: Partial<AgentOptions>, handlers: AgentHandlers) {
  const house = await arrangeHouse({ seed: "config", devices: 1, agent, handlers });
  const tenant = onlyTenant(house);
  tenant.agent.start();
  await house.world.run(2_000);
  return { house, tenant };
}

for (const { name, agent } of manners) {
  test(`${name}: a config is handed over once, however often the device connects anew`, async () => {
    const handled: string[] = [];
    const { house, tenant } = await arrange(agent, {
      config: (payload) => void handled.push(utf8Decode(payload)),
    });
    await house.store.modifyConfig(lamp, utf8Encode("brighter"), 0);
    await house.world.run(1_000);

    for (let i = 0; i < 3; i++) {
      tenant.dialer.cut("ECONNRESET");
      await house.world.run(60_000);
    }

    assert.deepEqual(handled, ["", "brighter"]);
    assert.equal(tenant.agent.status().state, "connected");
    assert.notEqual((await house.store.findDevice(lamp))?.config.deviceAckMs, undefined);
  });

  test(`${name}: a config whose handler fails is not acknowledged, and comes again until it is taken`, async () => {
    const handled: string[] = [];
    const { house, tenant } = await arrange(agent, {
      config: (payload) => {
        handled.push(utf8Decode(payload));
        if (payload.length > 0 && handled.length < 4) throw new RangeError("too bright");
      },
    });

    await house.store.modifyConfig(lamp, utf8Encode("brighter"), 0);
    await house.world.run(3_000);
    const early = (await house.store.findDevice(lamp))?.config.deviceAckMs;
    await house.world.run(60_000);

    assert.equal(early, undefined);
    assert.deepEqual(handled, ["", "brighter", "brighter", "brighter"]);
    assert.notEqual((await house.store.findDevice(lamp))?.config.deviceAckMs, undefined);
    assert.equal(tenant.agent.status().connects, 1);
  });

  test(`${name}: a handler that never answers has failed after its time, and what is behind it goes on`, async () => {
    const { house, tenant } = await arrange(
      { ...agent, handlerSecondsMax: 3 },
      { command: (payload) => (utf8Decode(payload) === "hang" ? new Promise(() => {}) : undefined) },
    );
    const outcomes: CommandOutcome[] = [];
    const send = (text: string): void =>
      house.bridge.sendCommand(lamp, { payload: utf8Encode(text), subfolder: "" }, (outcome) =>
        outcomes.push(outcome),
      );

    send("hang");
    send("blink");
    await house.world.run(10_000);

    const failures = tenant.events.filter((event) => event.kind === "handler_failed");
    assert.deepEqual(failures, [{ kind: "handler_failed", of: "command", because: "no answer in 3 s" }]);
    assert.equal(outcomes.includes("delivered"), true, `${outcomes}`);
    assert.equal(tenant.agent.status().state, "connected");
  });
}

test("in MQTT 5 the application, the status and an event say which version it is", async () => {
  const versions: (number | undefined)[] = [];
  const { house, tenant } = await arrange(
    { protocolVersion: 5 },
    { config: (_payload, version) => void versions.push(version) },
  );

  await house.store.modifyConfig(lamp, utf8Encode("brighter"), 0);
  await house.world.run(1_000);

  assert.deepEqual(versions, [1, 2]);
  assert.equal(tenant.agent.status().configVersion, 2);
  assert.deepEqual(
    tenant.events.filter(({ kind }) => kind === "config_applied"),
    [
      { kind: "config_applied", version: 1 },
      { kind: "config_applied", version: 2 },
    ],
  );
});
