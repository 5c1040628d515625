import assert from "node:assert/strict";
import { test } from "node:test";
import { fernPath, VirtualTime, World } from "../../test/bridge-world.ts";
import { AdmissionQueue } from "./admission-queue.ts";
import { admissionsPerTurnMax } from "./limits.ts";

test("a turn judges so many, and the rest in the order in which their rights end, newcomers last", async () => {
  const time = new VirtualTime();
  const queue = new AdmissionQueue(time);
  const served: string[] = [];
  for (let i = 0; i < admissionsPerTurnMax; i++) queue.enter(undefined, () => served.push("first turn"));
  queue.enter(undefined, () => served.push("newcomer 1"));
  queue.enter(900, () => served.push("ends at 900"));
  queue.enter(undefined, () => served.push("newcomer 2"));
  queue.enter(300, () => served.push("ends at 300"));
  const inFirstTurn = served.length;

  await time.advance(0);

  assert.equal(inFirstTurn, admissionsPerTurnMax);
  assert.deepEqual(served.slice(inFirstTurn), ["ends at 300", "ends at 900", "newcomer 1", "newcomer 2"]);
  assert.equal(queue.size, 0);
});

test("who leaves the queue is not judged", async () => {
  const time = new VirtualTime();
  const queue = new AdmissionQueue(time);
  for (let i = 0; i < admissionsPerTurnMax; i++) queue.enter(undefined, () => undefined);
  const leave = queue.enter(1, () => assert.fail("it left"));

  leave();
  await time.advance(0);

  assert.equal(queue.size, 0);
});

test("a storm is judged turn by turn, and nothing waits when it is over", async () => {
  const time = new VirtualTime();
  const queue = new AdmissionQueue(time);
  let served = 0;
  const serve = () => {
    served += 1;
  };
  for (let i = 0; i < 10 * admissionsPerTurnMax; i++) queue.enter(undefined, serve);

  await time.advance(0);

  assert.equal(served, 10 * admissionsPerTurnMax);
  assert.equal(time.timersWaiting, 0);
});

test("in a storm of newcomers a device that is connected is served before those that came earlier", async () => {
  const world = await World.create();
  const nobody = fernPath.replace("fern", "nobody");
  world.connect(4);
  await world.time.advance(0);
  const before = world.diary.lines.length;
  for (let i = 0; i < 2 * admissionsPerTurnMax; i++) world.connect(4, { clientIdentifier: nobody });

  world.connect(4);
  await world.time.advance(0);

  const answers = world.diary.lines.slice(before).filter((line) => /^(refused|connected)/.test(line));
  assert.equal(answers.indexOf("connected fern tookOver"), admissionsPerTurnMax);
  assert.equal(answers.length, 2 * admissionsPerTurnMax + 1);
});
