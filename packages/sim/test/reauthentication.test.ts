/**
 * Renewal within a live MQTT 5 connection: the real agent and the real bridge, and scripts for what ours never does.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Decode, utf8Encode } from "@mayfly/core";
import type { AgentEvent } from "@mayfly/device";
import { arrangeHouse, onlyTenant, type Tenant } from "./arrange-house.ts";
import { accepted, arrangeScript, type Script } from "./arrange-script.ts";

const method = { authenticationMethod: "mayfly-jwt" } as const;
const acceptedByMethod = { ...accepted, properties: method } as const;
const authAccepted = { type: "auth", reasonCode: 0, properties: method } as const;
const minute = { lifetimeSeconds: 60, lifetimeFloorSeconds: 60 } as const;

function eventsOf<K extends AgentEvent["kind"]>(
  { events }: { readonly events: readonly AgentEvent[] },
  kind: K,
): readonly Extract<AgentEvent, { kind: K }>[] {
  return events.filter((event): event is Extract<AgentEvent, { kind: K }> => event.kind === kind);
}

async function arrangeConnected(agent: Parameters<typeof arrangeHouse>[0]["agent"] = minute) {
  const house = await arrangeHouse({ seed: "in session", devices: 1, agent });
  const tenant = onlyTenant(house);
  tenant.agent.start();
  await house.world.run(2_000);
  assert.equal(tenant.agent.status().renewal, "reauthentication");
  return { house, tenant };
}

/** Publishes at this pace, `count` times. @returns What is published, and the list that fills with what is acknowledged. */
function publishEvery(
  world: Awaited<ReturnType<typeof arrangeConnected>>["house"]["world"],
  { agent }: Pick<Tenant, "agent">,
  millis: number,
  count: number,
) {
  const texts = Array.from({ length: count }, (_, i) => `m-${i}`);
  const acknowledged: string[] = [];
  for (const [i, text] of texts.entries()) {
    world.timers.after(i * millis, () => {
      const answer = agent.publish(utf8Encode(text), { messageId: text });
      assert.equal(answer.kind, "accepted");
      if (answer.kind !== "accepted") return;
      void answer.outcome.then((outcome) => outcome.kind === "acknowledged" && acknowledged.push(text));
    });
  }
  return { texts, acknowledged };
}

test("a session renewed 50 times by AUTH publishes throughout: no PUBACK is missing, no gap, and one CONNECT in all", async () => {
  const { house, tenant } = await arrangeConnected();
  const { texts, acknowledged } = publishEvery(house.world, tenant, 250, 11_200);

  await house.world.run(2_802_000);

  const status = tenant.agent.status();
  assert.ok(status.renewals >= 50, `${status.renewals} renewals`);
  assert.equal(status.renewalsBy.reauthentication, status.renewals);
  assert.equal(status.connects, 1);
  assert.equal(status.longestGapMillis, 0);
  assert.equal(status.resent, 0);
  assert.deepEqual(acknowledged, texts);
  assert.deepEqual(await house.pullAll(), texts);
  assert.deepEqual(new Set(eventsOf(tenant, "renewed").map(({ by }) => by)), new Set(["reauthentication"]));
});

test("each renewal falls into the window the bridge gave for it", async () => {
  const { house, tenant } = await arrangeConnected({});
  const misses: string[] = [];
  let window = tenant.agent.status().renewalWindow;
  tenant.agent.onEvent(({ kind }) => {
    if (kind !== "renewed") return;
    const now = house.world.clock.wallSeconds();
    // Signing takes 80 ms, and an answer a round trip of at most 80 ms.
    if (window === undefined || now < window.from || now > window.until + 0.2) misses.push(`at ${now}`);
    window = tenant.agent.status().renewalWindow;
  });

  await house.world.run(24 * 3_600_000);

  assert.ok(tenant.agent.status().renewals >= 26, `${tenant.agent.status().renewals} renewals`);
  assert.deepEqual(misses, []);
});

test("a bridge that refuses the re-authentication costs one reconnect and no acknowledged message, and the old token serves on", async () => {
  const { house, tenant } = await arrangeConnected({ lifetimeSeconds: 600, lifetimeFloorSeconds: 60 });
  const { texts, acknowledged } = publishEvery(house.world, tenant, 100, 5_940);

  // The clock is believed and wrong: each new token is from the future.
  tenant.conduct.clockOffsetSeconds = 3_600;
  await house.world.run(592_000);
  const during = tenant.agent.status();
  tenant.conduct.clockOffsetSeconds = 0;
  await house.world.run(8_000);

  assert.equal(during.connects, 2, "one connection in place of the one that was lost");
  assert.ok(["connected", "renewing"].includes(during.state), during.state);
  assert.ok(during.longestGapMillis < 300, `${during.longestGapMillis} ms`);
  assert.equal(tenant.agent.status().connects, 3, "and one by which the right token came into use");
  assert.equal(tenant.agent.status().renewal, "reauthentication");
  assert.deepEqual(acknowledged, texts);
  assert.deepEqual([...new Set(await house.pullAll())], texts);
});

test("while the clock is not believed no AUTH is sent, and the renewal comes when it is", async () => {
  const { house, tenant } = await arrangeConnected();

  tenant.conduct.clockBecause = "sources disagree";
  await house.world.run(56_000);
  const before = tenant.agent.status();
  tenant.conduct.clockBecause = undefined;
  await house.world.run(1_500);

  assert.deepEqual([before.renewals, before.connects, before.state], [0, 1, "connected"]);
  assert.equal(before.waitingBecause, "sources disagree");
  assert.equal(tenant.agent.status().waitingBecause, undefined);
  assert.equal(eventsOf(tenant, "waiting_for_clock").length, 1);
  assert.equal(tenant.agent.status().renewalsBy.reauthentication, 1);
  assert.equal(tenant.agent.status().connects, 1);
});

test("a renewal in session needs no new link", async () => {
  const { house, tenant } = await arrangeConnected();

  tenant.dialer.setRefusing(true);
  await house.world.run(600_000);

  assert.ok(tenant.agent.status().renewals >= 10);
  assert.deepEqual(eventsOf(tenant, "connection_lost"), []);
});

test("AUTH carries the next token by the method, and nothing else waits for its answer", async () => {
  const script: Script = (packet, link) => {
    if (packet.type === "connect") link.say(acceptedByMethod);
    return packet.type === "connect" || packet.type === "auth" ? "taken" : "default";
  };
  const { world, agent, of, links, publish } = arrangeScript(script, { firstRenewalAfterSeconds: 20 });
  const acknowledged: string[] = [];

  agent.start();
  await world.run(20_500);
  publish("meanwhile", acknowledged);
  await world.run(100);
  const whileWaiting = agent.status();
  links[0]?.say(authAccepted);
  await world.run(100);

  const [connect, auth] = [of("connect")[0], of("auth")[0]];
  const tokens = [connect?.packet, auth?.packet].map((packet) => {
    assert.equal(packet?.properties?.authenticationMethod, "mayfly-jwt");
    return utf8Decode(packet.properties.authenticationData ?? new Uint8Array(0));
  });
  assert.equal(connect?.packet.password, undefined);
  assert.equal(auth?.packet.reasonCode, 0x19);
  assert.notEqual(tokens[0], tokens[1]);
  assert.equal(of("auth").length, 1);
  assert.deepEqual(acknowledged, ["meanwhile"]);
  assert.equal(whileWaiting.state, "renewing");
  assert.deepEqual([agent.status().state, agent.status().renewals], ["connected", 1]);
});

test("an AUTH without an answer is given up at its limit: a new connection takes over without a gap beyond its own, and a late answer does no harm", async () => {
  const script: Script = (packet, link) => {
    if (packet.type === "connect") link.say(acceptedByMethod);
    // Late: when the new link is being opened.
    if (packet.type === "auth") arranged.world.timers.after(10_005, () => link.say(authAccepted));
    return packet.type === "connect" || packet.type === "auth" ? "taken" : "default";
  };
  const arranged = arrangeScript(script, {});
  const { world, agent, of, events } = arranged;

  agent.start();
  await world.run(3_600_000);

  const [auth] = of("auth");
  const [, second] = of("connect");
  assert.ok(auth !== undefined && second !== undefined);
  // The limit, and two round trips to open a link.
  assert.equal(Math.round(second.atMillis - auth.atMillis), 10_000 + 20);
  assert.equal(eventsOf({ events }, "reauthentication_unanswered").length, 1);
  assert.deepEqual(eventsOf({ events }, "connection_lost"), []);
  assert.deepEqual(agent.status().renewalsBy, { reauthentication: 0, handover: 0, reconnect: 1 });
  assert.ok(agent.status().longestGapMillis <= 11, `${agent.status().longestGapMillis} ms`);
});

test("after two failed re-authentications in a row renewals are made by a new connection", async () => {
  const script: Script = (packet, link) => {
    if (packet.type === "connect") link.say(acceptedByMethod);
    if (packet.type === "auth") {
      link.say({ type: "disconnect", reasonCode: 0x82 });
      link.close();
    }
    return packet.type === "connect" || packet.type === "auth" ? "taken" : "default";
  };
  const { world, agent, of } = arrangeScript(script, minute);

  agent.start();
  await world.run(600_000);

  assert.equal(of("auth").length, 2);
  assert.equal(agent.status().renewal, "reconnect");
  assert.equal(agent.status().state, "connected");
  assert.ok(agent.status().renewals >= 10);
});

test("no AUTH is sent sooner than 5.5 s after the token before was accepted: such a renewal takes a new connection", async () => {
  const script: Script = (packet, link) => {
    if (packet.type === "connect") link.say(acceptedByMethod);
    if (packet.type === "auth") link.say(authAccepted);
    return packet.type === "connect" || packet.type === "auth" ? "taken" : "default";
  };
  const early = arrangeScript(script, { ...minute, firstRenewalAfterSeconds: 5 });
  const late = arrangeScript(script, { ...minute, firstRenewalAfterSeconds: 6 });

  for (const { agent, world } of [early, late]) {
    agent.start();
    await world.run(7_000);
  }

  assert.deepEqual([early.of("auth").length, early.of("connect").length], [0, 2]);
  assert.deepEqual([late.of("auth").length, late.of("connect").length], [1, 1]);
});

test("a bridge that does not know the method is asked with the Password at once, and from then on", async () => {
  const script: Script = (packet, link) => {
    if (packet.type !== "connect") return "default";
    const isByMethod = packet.properties?.authenticationMethod !== undefined;
    link.say(isByMethod ? { ...accepted, reasonCode: 0x8c } : accepted);
    return "taken";
  };
  const { world, agent, of, dialer, events } = arrangeScript(script, minute);

  agent.start();
  await world.run(200);
  const first = agent.status();
  dialer.cut("ECONNRESET");
  await world.run(200_000);

  const byMethod = of("connect").map(({ packet }) => packet.properties?.authenticationMethod !== undefined);
  assert.deepEqual(
    [first.state, first.authentication, first.renewal],
    ["connected", "password", "reconnect"],
  );
  assert.deepEqual(byMethod.slice(0, 2), [true, false]);
  assert.equal(byMethod.slice(2).includes(true), false);
  assert.equal(eventsOf({ events }, "refused").length, 1);
  assert.equal(agent.status().lastRefusal, undefined);
  assert.ok(agent.status().renewalsBy.reconnect >= 3);
  assert.equal(of("auth").length, 0);
});

test("0x87 to the first CONNECT by the method is answered with the Password, with the same token", async () => {
  const script: Script = (packet, link) => {
    if (packet.type !== "connect") return "default";
    const isByMethod = packet.properties?.authenticationMethod !== undefined;
    link.say(isByMethod ? { ...accepted, reasonCode: 0x87 } : accepted);
    return "taken";
  };
  const { world, agent, of, events } = arrangeScript(script);

  agent.start();
  await world.run(200);

  const [first, second] = of("connect");
  assert.deepEqual(second?.packet.password, first?.packet.properties?.authenticationData);
  assert.equal(eventsOf({ events }, "minted").length, 1);
  assert.deepEqual([agent.status().state, agent.status().authentication], ["connected", "password"]);
});

test("a bridge that echoes no method is no bridge to re-authenticate with, and one that echoes another breaks the protocol", async () => {
  const echoing = (properties: { authenticationMethod?: string }): Script => {
    return (packet, link) => {
      if (packet.type !== "connect") return "default";
      link.say({ ...accepted, properties });
      return "taken";
    };
  };
  const none = arrangeScript(echoing({}));
  const other = arrangeScript(echoing({ authenticationMethod: "SCRAM-SHA-1" }));

  for (const { agent, world } of [none, other]) {
    agent.start();
    await world.run(200);
  }

  assert.deepEqual([none.agent.status().state, none.agent.status().renewal], ["connected", "reconnect"]);
  assert.equal(other.agent.status().connects, 0);
  assert.equal(eventsOf(other, "connection_lost")[0]?.because, "protocol_error");
});

test("an AUTH that answers nothing we sent ends the connection", async () => {
  const script: Script = (packet, link) => {
    if (packet.type !== "connect") return "default";
    link.say(acceptedByMethod);
    link.say(authAccepted);
    return "taken";
  };
  const { world, agent, of, events } = arrangeScript(script);

  agent.start();
  await world.run(40);

  assert.equal(eventsOf({ events }, "connection_lost")[0]?.because, "protocol_error");
  assert.equal(of("disconnect")[0]?.packet.reasonCode, 0x82);
});

test("the connection lost while an AUTH is under way is replaced by one with the new token, and the bridge is trusted with another", async () => {
  const script: Script = (packet, link) => {
    if (packet.type === "connect") link.say(acceptedByMethod);
    return packet.type === "connect" || packet.type === "auth" ? "taken" : "default";
  };
  const { world, agent, of, dialer } = arrangeScript(script, minute);

  agent.start();
  await world.run(55_200);
  const [auth] = of("auth");
  dialer.cut("ECONNRESET");
  await world.run(6_000);

  const [, second] = of("connect");
  assert.deepEqual(
    second?.packet.properties?.authenticationData,
    auth?.packet.properties?.authenticationData,
  );
  assert.equal(agent.status().renewal, "reauthentication");
});
