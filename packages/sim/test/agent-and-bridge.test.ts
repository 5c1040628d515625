import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Decode, utf8Encode } from "@mayfly/core";
import { type AgentEvent, createAgent } from "@mayfly/device";
import type { CommandOutcome } from "@mayfly/server";
import { arrangeHouse, type House, onlyTenant, registry, type Tenant } from "./arrange-house.ts";

/** How an agent may speak to the bridge: by version, and in 3.1.1 with Clean Session 1 or 0. */
const manners = [
  { name: "v5", agent: { protocolVersion: 5 } },
  { name: "v4", agent: { protocolVersion: 4 } },
  { name: "v4, Session kept", agent: { protocolVersion: 4, cleanSession: false } },
] as const;
const lamp = { ...registry, device: "lamp-0" };

async function arrangeConnected(options: Partial<Parameters<typeof arrangeHouse>[0]> = {}) {
  const house = await arrangeHouse({ seed: "agent and bridge", devices: 1, ...options });
  const tenant = onlyTenant(house);
  tenant.agent.start();
  await house.world.run(2_000);
  assert.equal(tenant.agent.status().state, "connected");
  return { house, tenant };
}

/** Publishes `text` and notes when the bridge acknowledged it. */
function publish(tenant: Tenant, text: string, acknowledged: string[] = []): void {
  const answer = tenant.agent.publish(utf8Encode(text), { messageId: text });
  assert.equal(answer.kind, "accepted");
  if (answer.kind !== "accepted") return;
  void answer.outcome.then((outcome) => outcome.kind === "acknowledged" && acknowledged.push(text));
}

function eventsOf<K extends AgentEvent["kind"]>(tenant: Tenant, kind: K): Extract<AgentEvent, { kind: K }>[] {
  return tenant.events.filter((event): event is Extract<AgentEvent, { kind: K }> => event.kind === kind);
}

function publishEvery(
  house: House,
  tenant: Tenant,
  millis: number,
  count: number,
  acknowledged: string[],
): string[] {
  const texts = Array.from({ length: count }, (_, i) => `m-${i}`);
  for (const [i, text] of texts.entries()) {
    house.world.timers.after(i * millis, () => publish(tenant, text, acknowledged));
  }
  return texts;
}

for (const { name, agent } of manners) {
  test(`${name}: what was published before the start is sent once connected, in order`, async () => {
    const house = await arrangeHouse({ seed: "early", devices: 1, agent });
    const tenant = onlyTenant(house);
    const acknowledged: string[] = [];
    for (const text of ["a", "b", "c"]) publish(tenant, text, acknowledged);

    tenant.agent.start();
    await house.world.run(2_000);

    assert.deepEqual(acknowledged, ["a", "b", "c"]);
    assert.deepEqual(await house.pullAll(), ["a", "b", "c"]);
  });

  test(`${name}: a device that publishes ten times a second through ten renewals loses and doubles nothing`, async () => {
    const { house, tenant } = await arrangeConnected({
      agent: { ...agent, lifetimeSeconds: 60, lifetimeFloorSeconds: 60 },
    });
    const acknowledged: string[] = [];

    const texts = publishEvery(house, tenant, 100, 5_400, acknowledged);
    await house.world.run(545_000);

    assert.equal(tenant.agent.status().renewals, 10);
    assert.deepEqual(acknowledged, texts);
    assert.deepEqual(await house.pullAll(), texts);
    assert.equal(tenant.agent.status().resent, 0);
    // One round trip, after at most one more for what was in flight.
    assert.ok(tenant.agent.status().longestGapMillis < 200, `${tenant.agent.status().longestGapMillis} ms`);
  });

  test(`${name}: a timer that runs a moment early brings one renewal, not two`, async () => {
    const { house, tenant } = await arrangeConnected({
      agent: { ...agent, lifetimeSeconds: 60, lifetimeFloorSeconds: 60 },
      timersEarlyMillis: 0.7,
    });

    await house.world.run(57_000);

    assert.equal(tenant.agent.status().renewals, 1);
    assert.equal(eventsOf(tenant, "minted").length, 2);
  });

  test(`${name}: a broken link costs no acknowledged message, and what was in flight is sent again`, async () => {
    const { house, tenant } = await arrangeConnected({ agent });
    const acknowledged: string[] = [];
    const texts = publishEvery(house, tenant, 500, 100, acknowledged);

    for (const at of [1_050, 17_020, 41_010])
      house.world.timers.after(at, () => tenant.dialer.cut("ECONNRESET"));
    await house.world.run(120_000);

    assert.deepEqual([...acknowledged].sort(), [...texts].sort());
    assert.deepEqual(new Set(await house.pullAll()), new Set(texts));
    assert.equal(eventsOf(tenant, "connection_lost").length, 3);
    assert.equal(tenant.agent.status().renewals, 0);
  });

  test(`${name}: a link that falls silent is found out by the missing PINGRESP and replaced`, async () => {
    const { house, tenant } = await arrangeConnected({ agent });
    const acknowledged: string[] = [];

    tenant.dialer.silence();
    publish(tenant, "into the void", acknowledged);
    await house.world.run(60_000);

    assert.deepEqual(acknowledged, ["into the void"]);
    assert.match(eventsOf(tenant, "connection_lost")[0]?.because ?? "", /ping_timeout/);
  });

  test(`${name}: a token that runs out with no way to renew is a gap, and the gap is counted`, async () => {
    const { house, tenant } = await arrangeConnected({
      agent: { ...agent, lifetimeSeconds: 60, lifetimeFloorSeconds: 60 },
    });

    tenant.conduct.signerIsBroken = true;
    await house.world.run(120_000);
    assert.notEqual(tenant.agent.status().state, "connected");
    tenant.conduct.signerIsBroken = false;
    await house.world.run(130_000);

    assert.equal(tenant.agent.status().state, "connected");
    assert.ok(eventsOf(tenant, "sign_failed").length > 0);
    assert.ok(
      tenant.agent.status().longestGapMillis > 50_000,
      `${tenant.agent.status().longestGapMillis} ms`,
    );
  });

  test(`${name}: a blocked device is cut and refused, and comes back by itself when unblocked`, async () => {
    const { house, tenant } = await arrangeConnected({ agent });

    await house.store.updateDevice(lamp, { blocked: true });
    await house.world.run(600_000);
    assert.equal(house.bridge.counts().sessions, 0);
    const refusals = eventsOf(tenant, "refused").filter((event) => event.sentence === "not authorized");
    assert.ok(refusals.length > 3 && refusals.length < 60, `${refusals.length} refusals`);
    assert.match(tenant.agent.status().lastRefusal ?? "", /not authorized/);
    await house.store.updateDevice(lamp, { blocked: false });
    await house.world.run(70_000);

    assert.equal(tenant.agent.status().state, "connected");
  });

  test(`${name}: config is acknowledged after its handler, and a new version arrives at once`, async () => {
    const handled: string[] = [];
    let finish: () => void = () => {};
    const { house, tenant } = await arrangeConnected({
      agent,
      handlers: {
        config: async (payload) => {
          handled.push(utf8Decode(payload));
          if (payload.length > 0) {
            await new Promise<void>((resolve) => {
              finish = resolve;
            });
          }
        },
      },
    });

    await house.store.modifyConfig(lamp, utf8Encode("brighter"), 0);
    await house.world.run(1_000);
    assert.deepEqual(handled, ["", "brighter"]);
    const before = (await house.store.findDevice(lamp))?.config.deviceAckMs;
    finish();
    await house.world.run(1_000);

    assert.equal(before, undefined);
    assert.notEqual((await house.store.findDevice(lamp))?.config.deviceAckMs, undefined);
    assert.equal(tenant.agent.status().state, "connected");
  });

  test(`${name}: a command reaches its handler with its subfolder and is answered delivered`, async () => {
    const got: [string, string][] = [];
    const { house } = await arrangeConnected({
      agent,
      handlers: {
        command: (payload, subfolder) => {
          got.push([utf8Decode(payload), subfolder]);
        },
      },
    });
    const outcomes: CommandOutcome[] = [];

    house.bridge.sendCommand(lamp, { payload: utf8Encode("blink"), subfolder: "led/red" }, (o) =>
      outcomes.push(o),
    );
    await house.world.run(1_000);

    assert.deepEqual(got, [["blink", "led/red"]]);
    assert.deepEqual(outcomes, ["delivered"]);
  });

  test(`${name}: a handler that throws is told of, and the session goes on`, async () => {
    const { house, tenant } = await arrangeConnected({
      agent,
      handlers: {
        command: () => {
          throw new TypeError("no such lamp");
        },
      },
    });

    house.bridge.sendCommand(lamp, { payload: utf8Encode("blink"), subfolder: "" }, () => {});
    await house.world.run(1_000);

    assert.deepEqual(eventsOf(tenant, "handler_failed"), [
      { kind: "handler_failed", of: "command", because: "TypeError" },
    ]);
    assert.equal(tenant.agent.status().state, "connected");
  });

  test(`${name}: stopping leaves nothing behind at either end`, async () => {
    const { house, tenant } = await arrangeConnected({ agent });
    const outcomes: string[] = [];
    tenant.dialer.silence();
    const answer = tenant.agent.publish(utf8Encode("too late"));
    assert.ok(answer.kind === "accepted");
    void answer.outcome.then((outcome) => outcomes.push(outcome.kind));

    tenant.agent.stop();
    // Past the renewal that will not be.
    await house.world.run(7_200_000);

    assert.deepEqual(outcomes, ["stopped"]);
    assert.deepEqual(tenant.agent.publish(utf8Encode("x")), { kind: "refused", because: "stopped" });
    assert.equal(tenant.dialer.links, 0);
    assert.equal(house.bridge.counts().connections, 0);
    assert.equal(house.world.tasksWaiting, 0);
  });
}

// In 5.0 a renewal needs no second connection (reauthentication.test.ts).
for (const { name, agent } of manners.filter((manner) => manner.agent.protocolVersion === 4)) {
  test(`${name}: while no new link can be had at renewal the old connection goes on sending`, async () => {
    const { house, tenant } = await arrangeConnected({
      agent: { ...agent, lifetimeSeconds: 600, lifetimeFloorSeconds: 60 },
    });
    const acknowledged: string[] = [];

    tenant.dialer.setRefusing(true);
    await house.world.run(560_000);
    publish(tenant, "still here", acknowledged);
    await house.world.run(500);
    assert.deepEqual(acknowledged, ["still here"]);
    assert.ok(eventsOf(tenant, "connection_lost").length > 0);
    tenant.dialer.setRefusing(false);
    await house.world.run(100_000);

    assert.equal(tenant.agent.status().renewals, 1);
    assert.equal(tenant.agent.status().state, "connected");
  });

  test(`${name}: a renewal the bridge refuses leaves the old connection at work until one is accepted`, async () => {
    const { house, tenant } = await arrangeConnected({
      agent: { ...agent, lifetimeSeconds: 600, lifetimeFloorSeconds: 60 },
    });
    const acknowledged: string[] = [];

    tenant.conduct.clockOffsetSeconds = 3_600;
    await house.world.run(560_000);
    publish(tenant, "still here", acknowledged);
    await house.world.run(500);
    assert.deepEqual(acknowledged, ["still here"]);
    assert.ok(eventsOf(tenant, "refused").length > 0);
    tenant.conduct.clockOffsetSeconds = 0;
    await house.world.run(38_000);

    assert.equal(tenant.agent.status().renewals, 1);
    assert.deepEqual(eventsOf(tenant, "connection_lost"), []);
    assert.ok(tenant.agent.status().longestGapMillis < 200, `${tenant.agent.status().longestGapMillis} ms`);
  });
}

test("nothing is signed and no link opened until the clock is believed", async () => {
  const house = await arrangeHouse({ seed: "clock", devices: 1 });
  const tenant = onlyTenant(house);
  tenant.conduct.clockBecause = "no source has answered";

  tenant.agent.start();
  await house.world.run(10_000);
  assert.equal(tenant.agent.status().state, "waiting_for_clock");
  assert.deepEqual(eventsOf(tenant, "minted"), []);
  assert.equal(tenant.dialer.links, 0);
  tenant.conduct.clockBecause = undefined;
  await house.world.run(2_000);

  assert.equal(tenant.agent.status().state, "connected");
});

test("the first renewal comes at the given second, the later ones by the draw", async () => {
  const { house, tenant } = await arrangeConnected({
    agent: { lifetimeSeconds: 60, lifetimeFloorSeconds: 60, firstRenewalAfterSeconds: 15 },
  });

  await house.world.run(12_500);
  assert.equal(tenant.agent.status().renewals, 0);
  await house.world.run(1_500);
  assert.equal(tenant.agent.status().renewals, 1);
  await house.world.run(45_000);
  assert.equal(tenant.agent.status().renewals, 1);
  await house.world.run(12_000);

  assert.equal(tenant.agent.status().renewals, 2);
});

test("the outbox takes what it can while the bridge is away, refuses the rest, and delivers what it took", async () => {
  const house = await arrangeHouse({
    seed: "outbox",
    devices: 1,
    agent: { outbox: { messagesMax: 3, bytesMax: 1_000 } },
  });
  const tenant = onlyTenant(house);

  const answers = ["a", "b", "c", "d"].map((text) => tenant.agent.publish(utf8Encode(text)).kind);
  tenant.agent.start();
  await house.world.run(2_000);

  assert.deepEqual(answers, ["accepted", "accepted", "accepted", "refused"]);
  assert.deepEqual(await house.pullAll(), ["a", "b", "c"]);
  assert.equal(tenant.agent.status().refused, 1);
});

test("a publish the topic, the size or the message id forbids is refused at once, with its reason", async () => {
  const house = await arrangeHouse({ seed: "refusals", devices: 1 });
  const { agent } = onlyTenant(house);

  const reasons = [
    agent.publish(new Uint8Array(256 * 1024 + 1)),
    agent.publish(new Uint8Array(1), { subfolder: "a//b" }),
    agent.publish(new Uint8Array(1), { messageId: "" }),
    agent.publish(new Uint8Array(1), { messageId: "é".repeat(65) }),
    agent.publish(new Uint8Array(1), { messageId: "a\u0000" }),
    agent.publish(new Uint8Array(1), { messageId: "\ud83d" }),
    agent.publishState(new Uint8Array(64 * 1024 + 1)),
  ].map((answer) => (answer.kind === "refused" ? answer.because : "accepted"));

  assert.deepEqual(reasons, [
    "message_too_large",
    "subfolder_malformed",
    "message_id_malformed",
    "message_id_malformed",
    "message_id_malformed",
    "message_id_malformed",
    "message_too_large",
  ]);
});

test("the largest message, a state and a QoS 0 message arrive", async () => {
  const { house, tenant } = await arrangeConnected();
  const outcomes: string[] = [];
  const note = (answer: ReturnType<typeof tenant.agent.publish>): void => {
    if (answer.kind === "accepted") void answer.outcome.then((outcome) => outcomes.push(outcome.kind));
  };

  note(tenant.agent.publish(new Uint8Array(256 * 1024).fill(0x41), { subfolder: "image/jpeg" }));
  note(tenant.agent.publishState(utf8Encode("on")));
  note(tenant.agent.publish(utf8Encode("perhaps"), { qos: 0 }));
  await house.world.run(2_000);

  assert.deepEqual(outcomes.sort(), ["acknowledged", "acknowledged", "sent"]);
  assert.deepEqual(
    (await house.pullAll()).map((text) => text.length),
    [256 * 1024, 7],
  );
  const [state] = await house.store.listStates(lamp, 1);
  assert.equal(utf8Decode(state?.binaryData ?? new Uint8Array(0)), "on");
});

test("while the bridge is away for an hour the agent tries, but not often, and is back within two minutes", async () => {
  const { house, tenant } = await arrangeConnected();
  tenant.dialer.setRefusing(true);
  tenant.dialer.cut("ECONNRESET");

  await house.world.run(3_600_000);
  const tries = eventsOf(tenant, "connection_lost").length;
  tenant.dialer.setRefusing(false);
  await house.world.run(120_000);

  // Full jitter below 64 s: one try in 32 s.
  assert.ok(tries > 60 && tries < 200, `${tries} tries`);
  assert.equal(tenant.agent.status().state, "connected");
});

test("two agents with one identity take turns at a pace that backs off, not in a storm", async () => {
  const { house, tenant } = await arrangeConnected();
  const rival = createAgent({ ...tenant.ports, random: house.world.random("rival") }, lamp);

  rival.start();
  await house.world.run(600_000);

  const connects = tenant.agent.status().connects + rival.status().connects;
  assert.ok(connects > 4 && connects < 120, `${connects} connects in 10 minutes`);
});
