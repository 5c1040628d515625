import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "../../test/bridge-world.ts";
import { packetsPerTurnMax } from "./limits.ts";

const flood = 5 * packetsPerTurnMax;

test("a flood of PINGREQs is taken two thousand a turn, and paused in between: others have their turn", async () => {
  const world = await World.create();
  const client = world.connect(5);
  const before = client.packets.length;

  client.sendBytes(Buffer.alloc(2 * flood, Buffer.of(0xc0, 0)));
  const takenAtOnce = client.packets.length - before;
  const { isPaused } = client;
  for (let turn = 0; turn < 50; turn += 1) await world.time.advance(0);

  assert.deepEqual([takenAtOnce, isPaused], [packetsPerTurnMax, true]);
  assert.equal(client.packets.length - before, flood);
  assert.equal(client.isPaused, false);
  assert.equal(client.isClosed, false);
});
