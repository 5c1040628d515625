/**
 * State reports between the real agent and the real bridge: one a second at most, and of those that wait the newest.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Decode, utf8Encode } from "@mayfly/core";
import { arrangeHouse, onlyTenant, registry } from "./arrange-house.ts";
import { arrangeScript } from "./arrange-script.ts";

const lamp = { ...registry, device: "lamp-0" } as const;

test("of states reported faster than one a second the newest goes, and those between are told superseded", async () => {
  const { world, agent, of } = arrangeScript(() => "default");
  const outcomes: string[] = [];
  const report = (text: string): void => {
    const answer = agent.publishState(utf8Encode(text));
    assert.ok(answer.kind === "accepted");
    void answer.outcome.then(({ kind }) => outcomes.push(`${text} ${kind}`));
  };
  agent.start();
  await world.run(1_000);

  for (let i = 0; i < 50; i++) {
    report(`${i}`);
    await world.run(100);
  }
  await world.run(5_000);

  const sent = of("publish");
  const texts = sent.map(({ packet }) => utf8Decode(packet.payload));
  for (const [i, { atMillis }] of sent.slice(1).entries()) {
    assert.ok(atMillis - (sent[i]?.atMillis ?? 0) >= 1_000, `${atMillis - (sent[i]?.atMillis ?? 0)} ms`);
  }
  assert.deepEqual([texts[0], texts.at(-1)], ["0", "49"]);
  assert.ok(texts.length >= 5 && texts.length <= 7, `${texts.length} states in five seconds`);
  assert.equal(outcomes.filter((one) => one.endsWith(" acknowledged")).length, texts.length);
  assert.equal(outcomes.filter((one) => one.endsWith(" superseded")).length, 50 - texts.length);
  assert.equal(agent.status().queuedMessages, 0);
});

test("a state that waits is counted as queued, and answered when the agent stops", async () => {
  const { world, agent } = arrangeScript(() => "default");
  const outcomes: string[] = [];

  for (const text of ["a", "b"]) {
    const answer = agent.publishState(utf8Encode(text));
    assert.ok(answer.kind === "accepted");
    void answer.outcome.then(({ kind }) => outcomes.push(`${text} ${kind}`));
  }
  const queued = agent.status().queuedMessages;
  agent.start();
  agent.stop();
  await world.run(10_000);

  assert.equal(queued, 2);
  assert.deepEqual(outcomes.toSorted(), ["a stopped", "b stopped"]);
});

test("a state that finds the outbox full while it waits goes when there is room", async () => {
  const held: number[] = [];
  const { world, agent, links, publish } = arrangeScript(
    (packet) => {
      if (packet.type !== "publish" || packet.packetIdentifier === undefined) return "default";
      if (utf8Decode(packet.payload) !== "event") return "default";
      held.push(packet.packetIdentifier);
      return "taken";
    },
    { outbox: { messagesMax: 1, bytesMax: 1_000 } },
  );
  agent.start();
  const outcomes: string[] = [];
  const report = (text: string): void => {
    const answer = agent.publishState(utf8Encode(text));
    assert.ok(answer.kind === "accepted");
    void answer.outcome.then(({ kind }) => outcomes.push(`${text} ${kind}`));
  };
  report("a");
  report("b");
  await world.run(900);
  publish("event");

  await world.run(3_000);
  const early = [...outcomes];
  links[0]?.say({ type: "puback", packetIdentifier: held[0] ?? 0, reasonCode: 0 });
  await world.run(3_000);

  assert.deepEqual(early, ["a acknowledged"]);
  assert.deepEqual(outcomes, ["a acknowledged", "b acknowledged"]);
});

for (const protocolVersion of [4, 5] as const) {
  test(`version ${protocolVersion}: the bridge has the newest state, through an outage as well`, async () => {
    const house = await arrangeHouse({ seed: "state", devices: 1, agent: { protocolVersion } });
    const { agent, dialer } = onlyTenant(house);
    agent.start();
    await house.world.run(2_000);

    dialer.setRefusing(true);
    dialer.cut("ECONNRESET");
    for (const text of ["dim", "bright", "off"]) agent.publishState(utf8Encode(text));
    await house.world.run(10_000);
    dialer.setRefusing(false);
    await house.world.run(120_000);

    const state = (await house.store.findDevice(lamp))?.state;
    assert.equal(utf8Decode(state?.binaryData ?? new Uint8Array(0)), "off");
    assert.equal(agent.status().queuedMessages, 0);
  });
}
