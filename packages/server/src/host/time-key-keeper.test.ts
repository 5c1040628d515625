import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { VirtualTime } from "../../test/contract/virtual-ports.ts";
import { dayMillis, keyFileText, startMillis, TestClock } from "../../test/time-house.ts";
import { parseTimeKeyFile } from "./time-key-file.ts";
import { openTimeKeyKeeper, timeKeyCheckMillis, timeKeyFileBytesMax } from "./time-key-keeper.ts";

async function openKeeper(t: TestContext, text?: string) {
  const folder = mkdtempSync(join(tmpdir(), "mayfly-time-key-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "time-key.pem");
  if (text !== undefined) writeFileSync(file, text);
  const ownClock = new TestClock();
  const virtual = new VirtualTime();
  const told: string[] = [];
  const keeper = await openTimeKeyKeeper(file, {
    ownClock,
    timers: virtual.timers,
    tell: (event) =>
      told.push(event.kind === "signed_time_on" ? event.kind : `${event.kind} ${event.because}`),
  });
  t.after(() => keeper.close());
  return { file, ownClock, virtual, told, keeper };
}

/** Lets a minute pass, and what was begun then come to its end. */
async function minute({ virtual, keeper }: Awaited<ReturnType<typeof openKeeper>>): Promise<void> {
  virtual.advance(timeKeyCheckMillis);
  await keeper.check();
  await turn();
}

const keyOf = (text: string) => parseTimeKeyFile(text).bounds;

test("a key that is there at the start is used, and said so", async (t) => {
  const text = keyFileText();

  const { keeper, told } = await openKeeper(t, text);

  assert.deepEqual(keeper.find()?.bounds, keyOf(text));
  assert.deepEqual(told, ["signed_time_on"]);
});

test("a key that is replaced is taken within a minute, without a restart", async (t) => {
  const house = await openKeeper(t, keyFileText());
  const next = keyFileText({ nowMillis: startMillis - dayMillis });
  writeFileSync(house.file, next);

  house.virtual.advance(timeKeyCheckMillis);
  // The timer's own reading, not one of the test's: it takes some turns of the event loop.
  for (let turns = 0; turns < 10_000 && house.told.length < 2; turns++) await turn();

  assert.deepEqual(house.keeper.find()?.bounds, keyOf(next));
  assert.deepEqual(house.told, ["signed_time_on", "signed_time_on"]);
});

test("a key that comes later begins signed time, and one that is taken away ends it", async (t) => {
  const house = await openKeeper(t);

  writeFileSync(house.file, keyFileText());
  await minute(house);
  rmSync(house.file);
  await minute(house);

  assert.equal(house.keeper.find(), undefined);
  assert.deepEqual(house.told, [
    "signed_time_off delegation_missing",
    "signed_time_on",
    "signed_time_off delegation_missing",
  ]);
});

test("a damaged file leaves the key in force, and is told once", async (t) => {
  const good = keyFileText();
  const house = await openKeeper(t, good);

  writeFileSync(house.file, good.slice(0, 300));
  await minute(house);
  await minute(house);

  assert.deepEqual(house.keeper.find()?.bounds, keyOf(good));
  assert.deepEqual(house.told, ["signed_time_on", "time_key_unusable there is no PUBLIC KEY in it"]);
});

test("a file that is too large is not read", async (t) => {
  const { keeper, told } = await openKeeper(t, keyFileText() + " ".repeat(timeKeyFileBytesMax));

  assert.equal(keeper.find(), undefined);
  assert.equal(told[0], "time_key_unusable the file is too large for a time key");
});

test("the delegation's end is told, and so is a clock that is not trusted", async (t) => {
  const house = await openKeeper(t, keyFileText());

  house.ownClock.isTrusted = false;
  await minute(house);
  house.ownClock.isTrusted = true;
  await minute(house);
  house.ownClock.wallMillis += 8 * dayMillis;
  await minute(house);

  assert.deepEqual(house.told, [
    "signed_time_on",
    "signed_time_off clock_untrusted",
    "signed_time_on",
    "signed_time_off outside_delegation",
  ]);
  assert.equal(house.keeper.delegationLeftSeconds(), 0);
});

test("what is left of the delegation is known in seconds", async (t) => {
  const { keeper, ownClock } = await openKeeper(t, keyFileText());
  ownClock.wallMillis += dayMillis;

  assert.equal(keeper.delegationLeftSeconds(), 6 * 86_400 - 600);
});
