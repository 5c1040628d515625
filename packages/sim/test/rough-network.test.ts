/**
 * A rough network: links cut, silenced and refused at random while tokens are renewed each minute.
 *
 * A failure names its seed; `liveRoughly(seed, manner)` replays it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Encode } from "@mayfly/core";
import type { AgentOptions } from "@mayfly/device";
import { arrangeHouse, onlyTenant } from "./arrange-house.ts";

const messages = 600;

const manners = {
  v5: { protocolVersion: 5 },
  v4: { protocolVersion: 4 },
  "v4, Session kept": { protocolVersion: 4, cleanSession: false },
} as const satisfies Record<string, Partial<AgentOptions>>;
type Manner = keyof typeof manners;

/** Ten rough minutes with a message each second, then five calm ones. */
async function liveRoughly(seed: string, manner: Manner) {
  const house = await arrangeHouse({
    seed,
    devices: 1,
    pieceBytesMax: 60,
    agent: { ...manners[manner], lifetimeSeconds: 60, lifetimeFloorSeconds: 60, keepAliveSeconds: 10 },
  });
  const { world } = house;
  const { agent, dialer } = onlyTenant(house);
  const random = world.random("weather");
  const acknowledged: string[] = [];
  for (let i = 0; i < messages; i++) {
    world.timers.after(i * 1_000, () => {
      const answer = agent.publish(utf8Encode(`${i}`), { messageId: `${i}` });
      if (answer.kind === "refused") return;
      void answer.outcome.then((outcome) => outcome.kind === "acknowledged" && acknowledged.push(`${i}`));
    });
  }
  for (let at = 0; at < 600_000; at += random.between(5_000, 40_000)) {
    const pick = random.between(0, 2);
    world.timers.after(at, () => {
      if (pick === 0) dialer.cut("ECONNRESET");
      else if (pick === 1) dialer.silence();
      else {
        dialer.setRefusing(true);
        world.timers.after(random.between(100, 20_000), () => dialer.setRefusing(false));
      }
    });
  }

  agent.start();
  await world.run(600_000);
  await world.run(300_000);
  return {
    acknowledged,
    delivered: await house.pullAll(),
    status: agent.status(),
    counts: house.bridge.counts(),
  };
}

for (const manner of ["v5", "v4", "v4, Session kept"] as const) {
  test(`${manner}: through cuts, silence and refused links every message arrives, first times in order`, async () => {
    for (let i = 0; i < 8; i++) {
      const seed = `rough ${i}`;
      const { acknowledged, delivered, status, counts } = await liveRoughly(seed, manner);

      const replay = `replay: liveRoughly("${seed}", "${manner}")`;
      const expected = Array.from({ length: messages }, (_, n) => `${n}`);
      assert.deepEqual(acknowledged, expected, replay);
      assert.deepEqual([...new Set(delivered)], expected, replay);
      assert.equal(status.queuedMessages, 0, replay);
      assert.equal(counts.sessions, 1, replay);
      assert.ok(status.resent > 0, replay);
    }
  });
}
