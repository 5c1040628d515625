import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import {
  askersMax,
  CommandDesk,
  CommandNotDone,
  commandMillisMax,
  commandsWaitingMax,
} from "./command-desk.ts";

/** Timers that run when the test says so. */
function arrange() {
  const timers: { readonly delayMillis: number; readonly run: () => void; isCancelled: boolean }[] = [];
  const desk = new CommandDesk({
    after(delayMillis, run) {
      const timer = { delayMillis, run, isCancelled: false };
      timers.push(timer);
      return () => {
        timer.isCancelled = true;
      };
    },
  });
  const pass = (delayMillis: number): void => {
    for (const timer of timers.splice(0)) {
      if (timer.isCancelled) continue;
      if (timer.delayMillis <= delayMillis) timer.run();
      else timers.push(timer);
    }
  };
  return { desk, pass };
}

const payload = new Uint8Array([1]);

test("commands go out in the order in which they came, each to one program", async () => {
  const { desk } = arrange();
  const offers = [desk.offer(payload, "a"), desk.offer(payload, "b")];

  const [first, second] = [await desk.next(1_000).command, await desk.next(1_000).command];

  assert.deepEqual([first?.subfolder, second?.subfolder], ["a", "b"]);
  for (const { id } of [first, second].filter((one) => one !== undefined)) {
    assert.ok(desk.settle(id, "done"));
  }
  await Promise.all(offers);
});

test("a program that waits gets the next command as it comes", async () => {
  const { desk } = arrange();
  const { command } = desk.next(1_000);

  const offered = desk.offer(payload, "");

  const { id } = (await command) ?? { id: "" };
  desk.settle(id, "done");
  await offered;
});

test("a command that failed is not acknowledged", async () => {
  const { desk } = arrange();
  const offered = desk.offer(payload, "");
  const { id } = (await desk.next(1_000).command) ?? { id: "" };

  desk.settle(id, "failed");

  await assert.rejects(offered, CommandNotDone);
});

test("a program that falls silent has failed its command, and can no longer be done with it", async () => {
  const { desk, pass } = arrange();
  const offered = desk.offer(payload, "");
  const { id } = (await desk.next(1_000).command) ?? { id: "" };

  pass(commandMillisMax);

  await assert.rejects(offered, CommandNotDone);
  assert.equal(desk.settle(id, "done"), false);
});

test("a program that waited in vain or went away takes no later command with it", async () => {
  const { desk, pass } = arrange();
  const [late, gone] = [desk.next(1_000), desk.next(60_000)];
  pass(1_000);
  gone.cancel();

  const offered = desk.offer(payload, "");

  assert.equal(await late.command, undefined);
  assert.equal(await gone.command, undefined);
  assert.deepEqual(desk.counts, { waiting: 1, taken: 0 });
  desk.close();
  await assert.rejects(offered, CommandNotDone);
});

test("no more than so many commands wait, and no more than so many programs", async () => {
  const { desk } = arrange();
  const offers = Array.from({ length: commandsWaitingMax }, () => desk.offer(payload, ""));

  const answer = await Promise.race([desk.offer(payload, "").catch((error) => error), setImmediate("waits")]);

  assert.ok(answer instanceof CommandNotDone);
  desk.close();
  await Promise.all(offers.map((offer) => assert.rejects(offer, CommandNotDone)));
  const asked = Array.from({ length: askersMax }, () => desk.next(1_000));
  assert.throws(() => desk.next(1_000), RangeError);
  desk.close();
  assert.deepEqual(
    await Promise.all(asked.map(({ command }) => command)),
    asked.map(() => undefined),
  );
});
