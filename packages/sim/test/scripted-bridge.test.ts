/**
 * The agent against answers our own bridge does not give: a script in its place, on the same network.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Encode } from "@mayfly/core";
import type { ConnackPacket } from "@mayfly/core/mqtt";
import type { AgentEvent } from "@mayfly/device";
import { arrangeScript } from "./arrange-script.ts";

/** An agent whose bridge answers each CONNECT as `answer` says, and acknowledges each PUBLISH with `puback`. */
function arrange(answer: (connects: number) => Omit<ConnackPacket, "type" | "sessionPresent">, puback = 0) {
  const connectedAt: number[] = [];
  const arranged = arrangeScript((packet, link) => {
    if (packet.type === "connect") {
      connectedAt.push(arranged.world.clock.monotonicMillis());
      link.say({ type: "connack", sessionPresent: false, ...answer(connectedAt.length) });
      return "taken";
    }
    if (packet.type !== "publish" || packet.packetIdentifier === undefined) return "default";
    link.say({ type: "puback", packetIdentifier: packet.packetIdentifier, reasonCode: puback });
    return "taken";
  });
  return { ...arranged, connectedAt };
}

const minted = (events: readonly AgentEvent[]): number => events.filter((e) => e.kind === "minted").length;

test("a ban makes the agent wait minutes, with the same token, not seconds", async () => {
  const { world, agent, events, connectedAt } = arrange(() => ({ reasonCode: 0x8a }));

  agent.start();
  await world.run(3_600_000 * 0.8);

  assert.ok(connectedAt.length >= 4 && connectedAt.length < 50, `${connectedAt.length} tries`);
  for (const [i, at] of connectedAt.slice(1).entries()) assert.ok(at - (connectedAt[i] ?? 0) >= 60_000);
  assert.equal(minted(events), 1);
  assert.equal(agent.status().lastRefusal, "the device is banned");
});

test("a refusal is told with the bridge's own words and where else it says to go, and the agent does not go there", async () => {
  const { world, agent, events } = arrange(() => ({
    reasonCode: 0x9c,
    properties: { reasonString: "try\n the other", serverReference: "other.example:8883" },
  }));

  agent.start();
  await world.run(1_000);

  const refusal = events.find((event) => event.kind === "refused");
  assert.ok(refusal?.kind === "refused");
  assert.deepEqual([refusal.reasonString, refusal.serverReference], ["try? the other", "other.example:8883"]);
});

test("a busy bridge is tried again with the same token, and the agent is connected once it is not", async () => {
  const { world, agent, events } = arrange((connects) => ({ reasonCode: connects < 4 ? 0x89 : 0 }));

  agent.start();
  await world.run(30_000);

  assert.equal(agent.status().state, "connected");
  assert.equal(minted(events), 1);
});

test("a busy bridge that says when to come back is left alone until then", async () => {
  const properties = { userProperties: [["retry-after", "30"]] } as const;
  const { world, agent, connectedAt } = arrange((connects) =>
    connects < 3 ? { reasonCode: 0x89, properties } : { reasonCode: 0 },
  );

  agent.start();
  await world.run(120_000);

  const waits = connectedAt.slice(1).map((at, i) => at - (connectedAt[i] ?? 0));
  assert.equal(agent.status().state, "connected");
  for (const [i, ceiling] of [35_000, 40_000].entries()) {
    const wait = waits[i] ?? 0;
    assert.ok(wait >= 31_000 && wait < ceiling + 100, `${wait} ms`);
  }
});

test("each refusal of the token is answered with a new one, but for the first, which the Password answers too", async () => {
  const { world, agent, events } = arrange((connects) => ({ reasonCode: connects < 4 ? 0x87 : 0 }));

  agent.start();
  await world.run(30_000);

  assert.equal(agent.status().state, "connected");
  assert.equal(minted(events), 3);
});

test("a message the bridge does not want is settled as refused and not sent again", async () => {
  const { world, agent } = arrange(() => ({ reasonCode: 0 }), 0x99);
  const outcomes: unknown[] = [];
  const answer = agent.publish(utf8Encode("?"));
  assert.ok(answer.kind === "accepted");
  void answer.outcome.then((outcome) => outcomes.push(outcome));

  agent.start();
  await world.run(10_000);

  assert.deepEqual(outcomes, [{ kind: "refused", reasonCode: 0x99 }]);
  assert.equal(agent.status().queuedMessages, 0);
  assert.equal(agent.status().refused, 1);
});

test("a message above the bridge's Maximum Packet Size is settled as refused, and those behind it go on", async () => {
  const { world, agent } = arrange(() => ({ reasonCode: 0, properties: { maximumPacketSize: 100 } }));
  const outcomes: string[] = [];
  for (const size of [10, 200, 20]) {
    const answer = agent.publish(new Uint8Array(size));
    assert.ok(answer.kind === "accepted");
    void answer.outcome.then((outcome) => outcomes.push(`${size} ${outcome.kind}`));
  }

  agent.start();
  await world.run(10_000);

  assert.deepEqual(outcomes.sort(), ["10 acknowledged", "20 acknowledged", "200 refused"]);
});

test("an agent stopped from within one of its own events stays stopped", async () => {
  const { world, agent, connectedAt } = arrange(() => ({ reasonCode: 0 }));
  agent.onEvent((event) => {
    if (event.kind === "minted") agent.stop();
  });

  agent.start();
  await world.run(60_000);

  assert.equal(agent.status().state, "stopped");
  assert.deepEqual(connectedAt, []);
});

test("a seventeenth listener is refused, and one that leaves makes room", () => {
  const { agent } = arrange(() => ({ reasonCode: 0 }));
  // One is the arrangement's own.
  const leave = Array.from({ length: 15 }, () => agent.onEvent(() => undefined));

  assert.throws(() => agent.onEvent(() => undefined), RangeError);
  leave[0]?.();
  assert.doesNotThrow(() => agent.onEvent(() => undefined));
});
