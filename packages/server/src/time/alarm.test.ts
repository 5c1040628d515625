import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualTime } from "../../test/bridge-world.ts";
import { Alarm, type Waiting, wokenPerTurnMax } from "./alarm.ts";

function sleeper(time: VirtualTime): Waiting & { readonly woken: number[] } {
  const woken: number[] = [];
  return { dueMillis: 0, heapIndex: -1, woken, wake: () => void woken.push(time.monotonicMillis()) };
}

test("each is woken at its time, by one timer of the machine at a time", async () => {
  const time = new VirtualTime();
  const alarm = new Alarm({ clock: time, timers: time });
  const start = time.monotonicMillis();
  const sleepers = [300, 100, 200].map((delay) => {
    const one = sleeper(time);
    alarm.wakeBy(one, start + delay);
    return one;
  });
  const timers = time.timersWaiting;

  await time.advance(1_000);

  assert.equal(timers, 1);
  assert.deepEqual(
    sleepers.map(({ woken }) => woken.map((at) => at - start)),
    [[300], [100], [200]],
  );
});

test("a later time does not replace an earlier one: the sleeper asks again when it is woken", async () => {
  const time = new VirtualTime();
  const alarm = new Alarm({ clock: time, timers: time });
  const start = time.monotonicMillis();
  const one = sleeper(time);
  alarm.wakeBy(one, start + 100);

  alarm.wakeBy(one, start + 500);
  await time.advance(1_000);

  assert.deepEqual(one.woken, [start + 100]);
});

test("an earlier time is kept", async () => {
  const time = new VirtualTime();
  const alarm = new Alarm({ clock: time, timers: time });
  const start = time.monotonicMillis();
  const one = sleeper(time);
  alarm.wakeBy(one, start + 500);

  alarm.wakeBy(one, start + 100);
  await time.advance(1_000);

  assert.deepEqual(one.woken, [start + 100]);
});

test("when nobody waits, no timer does", () => {
  const time = new VirtualTime();
  const alarm = new Alarm({ clock: time, timers: time });
  const one = sleeper(time);
  alarm.wakeBy(one, time.monotonicMillis() + 100);

  alarm.forget(one);

  assert.deepEqual([alarm.size, time.timersWaiting], [0, 0]);
});

test("a crowd due at once is woken in turns", async () => {
  const time = new VirtualTime();
  const alarm = new Alarm({ clock: time, timers: time });
  const start = time.monotonicMillis();
  const crowd = Array.from({ length: wokenPerTurnMax + 1 }, () => sleeper(time));
  for (const one of crowd) alarm.wakeBy(one, start + 10);
  let wokenAtFirst = 0;
  time.after(10, () => {
    wokenAtFirst = crowd.filter(({ woken }) => woken.length > 0).length;
  });

  await time.advance(10);

  assert.equal(wokenAtFirst, wokenPerTurnMax);
  assert.ok(crowd.every(({ woken }) => woken.length === 1));
});

test("a sleeper that throws does not cost the others their time", async () => {
  const time = new VirtualTime();
  const alarm = new Alarm({ clock: time, timers: time });
  const start = time.monotonicMillis();
  const bad: Waiting = {
    dueMillis: 0,
    heapIndex: -1,
    wake() {
      throw new Error("a bug");
    },
  };
  const good = sleeper(time);
  alarm.wakeBy(bad, start + 10);
  alarm.wakeBy(good, start + 20);

  await assert.rejects(time.advance(15), /a bug/);
  await time.advance(15);

  assert.deepEqual(good.woken, [start + 20]);
});
