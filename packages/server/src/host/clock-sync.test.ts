import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  askClockSync,
  askIntervalMillis,
  chronycMillisMax,
  createClockSync,
  parseTracking,
} from "./clock-sync.ts";

const folder = mkdtempSync(join(tmpdir(), "mayfly-clock-sync-"));
after(() => rmSync(folder, { recursive: true }));

const nowhere = join(folder, "nowhere");

/** A program that stands for chronyc. */
function script(name: string, body: string): [string] {
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${body}\n`);
  chmodSync(file, 0o755);
  return [file];
}

test("timesyncd's folder says unsynchronised until its file is there", async () => {
  const timesyncFolder = join(folder, "timesync");
  mkdirSync(timesyncFolder);
  const sources = { timesyncFolder, chronyc: [nowhere] } as const;

  const before = await askClockSync(sources);
  writeFileSync(join(timesyncFolder, "synchronized"), "");

  assert.deepEqual([before, await askClockSync(sources)], ["unsynchronised", "synchronised"]);
});

test("where no service is, nothing is known", async () => {
  assert.equal(await askClockSync({ timesyncFolder: nowhere, chronyc: [nowhere] }), "unknown");
});

test("chronyc's last value is the leap status, and anything else is not understood", () => {
  const line = "A29FC87B,162.159.200.123,4,1700000000.1,0.000,0.000,0.000,-2.1,0.0,0.1,0.01,0.002,64.2";

  const found = ["Normal", "Insert second", "Delete second", "Not synchronised", "Perhaps"].map((status) =>
    parseTracking(`${line},${status}\n`),
  );

  assert.deepEqual(found, ["synchronised", "synchronised", "synchronised", "unsynchronised", "unknown"]);
  assert.equal(parseTracking(""), "unknown");
});

test("a chronyc that does not end is ended, and nothing is known", async () => {
  const startMillis = performance.now();

  const state = await askClockSync({ timesyncFolder: nowhere, chronyc: script("hangs", "exec sleep 20") });

  assert.equal(state, "unknown");
  assert.ok(performance.now() - startMillis < chronycMillisMax + 2_000);
});

test("the last answer is given at once, and asked for again after a minute", async () => {
  const asked = join(folder, "asked");
  const chronyc = script("counts", `echo >> ${asked}; echo x,Normal`);
  const time = { millis: 0, monotonicMillis: () => time.millis };
  const sync = createClockSync({ clock: time }, { timesyncFolder: nowhere, chronyc });

  const first = sync.state();
  while (sync.state() === "unknown") await new Promise(setImmediate);
  script("counts", "echo x,Not synchronised");
  time.millis += askIntervalMillis - 1;
  const withinTheMinute = [sync.state(), sync.state()];
  time.millis += 1;
  while (sync.state() === "synchronised") await new Promise(setImmediate);

  assert.equal(first, "unknown");
  assert.deepEqual(withinTheMinute, ["synchronised", "synchronised"]);
  assert.equal(sync.state(), "unsynchronised");
});
