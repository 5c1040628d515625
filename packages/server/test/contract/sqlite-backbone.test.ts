/** What only a backbone on disk can promise. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import {
  openSqliteBackbone,
  type SqliteBackbone,
  type SqliteBackboneOptions,
} from "../../src/backbone/sqlite/index.ts";
import { systemClock, systemRandom, systemTimers } from "../../src/host/system-ports.ts";
import type { AppendOutcome } from "../../src/telemetry/backbone.ts";
import { appendAll, gauges, message, textOf } from "./backbone.contract.ts";
import { killAfterLines, startChild } from "./child-process.ts";
import { refusal } from "./registry-store.contract.ts";
import { seededRandom, VirtualTime } from "./virtual-ports.ts";

const parent = mkdtempSync(join(tmpdir(), "mayfly-events-"));
after(() => rmSync(parent, { recursive: true }));
let folders = 0;
function freshFolder(): string {
  folders += 1;
  return join(parent, `${folders}`);
}

// A test that fails half-way must not keep the process alive with its threads.
const opened: SqliteBackbone[] = [];
after(() => Promise.all(opened.map((backbone) => backbone.close())));

let opens = 0;
async function open(folder: string, options: Partial<SqliteBackboneOptions> = {}, time = new VirtualTime()) {
  opens += 1;
  const ports = { clock: time.clock, timers: time.timers, random: seededRandom(opens) };
  const backbone = await openSqliteBackbone({ ...ports, folder, ...options });
  opened.push(backbone);
  return backbone;
}

const subscription = { id: "app", registry: gauges, leaseSeconds: 60 };

test("kill -9 loses nothing that was answered durable, and no id changes", async () => {
  const folder = freshFolder();
  const lines = await killAfterLines(startChild("append-until-killed.ts", folder), 5_000);

  const backbone = await open(folder);
  const found = new Map<string, string>();
  for (;;) {
    const received = await backbone.pull("mayfly", "app", 1_000);
    if (received.length === 0) break;
    for (const one of received) found.set(textOf(one), one.message.messageId);
  }
  await backbone.close();

  assert.ok(lines.length >= 5_000);
  for (const line of lines) {
    const [label = "", messageId] = line.split(" ");
    assert.equal(found.get(label), messageId, `message ${label}`);
  }
});

test("acknowledgements outlive the process, also ahead of ones that are missing; leases do not", async () => {
  const folder = freshFolder();
  const time = new VirtualTime();
  const before = await open(folder, { partitions: 1 }, time);
  await before.createSubscription(subscription, "earliest");
  for (const round of [0, 1, 2]) {
    await appendAll(
      { backbone: before, time },
      [0, 1, 2].map((n) => message("gauge-1", `${round}${n}`)),
    );
  }
  const received = await before.pull("mayfly", "app", 10);
  const acknowledged = received.filter((one) => ["00", "10", "11", "12", "21"].includes(textOf(one)));
  await before.acknowledge(
    "mayfly",
    "app",
    acknowledged.map((one) => one.ackId),
  );
  await before.close();

  const again = await open(folder, {}, time);
  const left = await again.pull("mayfly", "app", 10);

  assert.deepEqual(left.map(textOf), ["01", "02", "20", "22"]);
  assert.equal(left[0]?.message.messageId, received[1]?.message.messageId);
  assert.equal(await again.acknowledge("mayfly", "app", [received[1]?.ackId ?? ""]), 0);
  await again.acknowledge(
    "mayfly",
    "app",
    left.map((one) => one.ackId),
  );
  await again.close();
  const done = await open(folder, {}, time);
  assert.deepEqual(await done.pull("mayfly", "app", 10), []);
  await done.close();
});

test("a block's number is never used again, though retention removed every message", async () => {
  const folder = freshFolder();
  const time = new VirtualTime();
  const ids: string[] = [];
  for (let round = 0; round < 3; round += 1) {
    const backbone = await open(folder, { partitions: 1 }, time);
    const [outcome] = await appendAll({ backbone, time }, [message("gauge-1", "x", { publishMs: 0 })]);
    if (outcome?.kind === "durable") ids.push(outcome.messageId);
    assert.equal(await backbone.sweep(), 1);
    await backbone.close();
  }

  assert.equal(new Set(ids).size, 3);
});

test("the number of partitions is the folder's, and a device writes to one of them only", async () => {
  const folder = freshFolder();
  const time = new VirtualTime();
  await (await open(folder, { partitions: 3 }, time)).close();
  const backbone = await open(folder, { partitions: 5 }, time);
  const messages = Array.from({ length: 600 }, (_, n) => message(`gauge-${n % 30}`, `${n}`));

  const outcomes = await appendAll({ backbone, time }, messages);
  await backbone.close();

  const partitions = new Map<string, Set<string>>();
  for (const [index, outcome] of outcomes.entries()) {
    const deviceId = messages[index]?.deviceId ?? "";
    const partition = outcome.kind === "durable" ? outcome.messageId.slice(-6, -4) : "refused";
    partitions.set(deviceId, (partitions.get(deviceId) ?? new Set()).add(partition));
  }
  assert.ok([...partitions.values()].every((of) => of.size === 1));
  assert.equal(new Set([...partitions.values()].flatMap((of) => [...of])).size, 3);
  assert.deepEqual(readdirSync(folder).filter((name) => name.endsWith(".db")).length, 3);
});

test("a missing partition is said to be a loss, never made anew in silence", async () => {
  const folder = freshFolder();
  await (await open(folder, { partitions: 2 })).close();
  rmSync(join(folder, "events-1.db"));

  await assert.rejects(open(folder), /events-1\.db is missing: the messages of partition 1 are gone/);
});

test("a partition with a newer schema is refused", async () => {
  const folder = freshFolder();
  await (await open(folder, { partitions: 2 })).close();
  const database = new DatabaseSync(join(folder, "events-1.db"));
  database.exec("PRAGMA user_version=7");
  database.close();

  await assert.rejects(open(folder), refusal("schema_too_new"));
});

test("a second process on the folder is refused, and files are the owner's alone", async () => {
  const folder = freshFolder();
  const backbone = await open(folder);

  await assert.rejects(open(folder), refusal("locked"));

  assert.equal(statSync(folder).mode & 0o777, 0o700);
  for (const name of readdirSync(folder))
    assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
  await backbone.close();
});

test("cursors left behind by a deletion that was cut short are removed at the next start", async () => {
  const folder = freshFolder();
  const backbone = await open(folder, { partitions: 1 });
  await backbone.createSubscription(subscription, "earliest");
  await backbone.close();
  const database = new DatabaseSync(join(folder, "events-0.db"));
  database.exec("DELETE FROM subscription");
  database.close();

  await (await open(folder)).close();

  const after = new DatabaseSync(join(folder, "events-0.db"), { readOnly: true });
  assert.equal(after.prepare("SELECT count(*) AS n FROM cursor").get()?.["n"], 0);
  after.close();
});

test("a registry's removal outlives the process, takes many small steps, and never reuses a block's number", async () => {
  const folder = freshFolder();
  const time = new VirtualTime();
  const before = await open(folder, { partitions: 1 }, time);
  await before.createSubscription(subscription, "earliest");
  const ids: string[] = [];
  for (let n = 0; n < 150; n += 1) {
    const [outcome] = await appendAll({ backbone: before, time }, [message("gauge-1", `${n}`)]);
    if (outcome?.kind === "durable") ids.push(outcome.messageId);
  }
  const received = await before.pull("mayfly", "app", 10);
  await before.acknowledge("mayfly", "app", [received[5]?.ackId ?? ""]);

  await before.removeRegistry(gauges);
  await before.close();

  const database = new DatabaseSync(join(folder, "events-0.db"), { readOnly: true });
  for (const table of ["block", "registry", "cursor", "acknowledgement", "subscription"]) {
    assert.equal(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"], 0, table);
  }
  database.close();
  const after = await open(folder, {}, time);
  const [outcome] = await appendAll({ backbone: after, time }, [message("gauge-1", "later")]);
  assert.ok(outcome?.kind === "durable" && !ids.includes(outcome.messageId));
  await after.close();
});

test("a subscription to a topic is one after a restart, and so is where its messages were routed", async () => {
  const folder = freshFolder();
  const time = new VirtualTime();
  const before = await open(folder, { partitions: 2 }, time);
  const [rooms, roofs] = ["projects/mayfly/topics/rooms", "projects/mayfly/topics/roofs"] as const;
  await before.createSubscription({ ...subscription, topic: rooms }, "earliest");
  await appendAll({ backbone: before, time }, [
    message("gauge-1", "mine", { topic: rooms }),
    message("gauge-1", "another's", { topic: roofs }),
    message("gauge-2", "nobody's"),
  ]);
  await before.close();

  const after = await open(folder, {}, time);
  const found = await after.findSubscription("mayfly", subscription.id);
  const pulled = await after.pull("mayfly", subscription.id, 10);

  assert.equal(found?.topic, rooms);
  assert.deepEqual(
    pulled.map((received) => [textOf(received), received.message.topic]),
    [["mine", rooms]],
  );
  await after.close();
});

test("a removal that was cut short is known to the next process, which ends it", async () => {
  const folder = freshFolder();
  const time = new VirtualTime();
  const before = await open(folder, { partitions: 2 }, time);
  await before.createSubscription(subscription, "earliest");
  await appendAll({ backbone: before, time }, [message("gauge-1", "a"), message("gauge-2", "b")]);
  await before.close();
  const database = new DatabaseSync(join(folder, "events-0.db"));
  database.exec("DELETE FROM subscription; DELETE FROM block");
  database.close();

  const again = await open(folder, {}, time);
  const known = await again.listRegistries();
  await again.removeRegistry(gauges);

  assert.deepEqual([known, await again.listRegistries()], [[gauges], []]);
  await again.close();
});

test("a file at its size cap refuses disk_full and says so, and recovers once retention made room", async () => {
  const folder = freshFolder();
  const time = new VirtualTime();
  const backbone = await open(folder, { partitions: 1, maxBytesPerFile: 1_000_000 }, time);
  const payload = new Uint8Array(50_000);
  const appendOne = async (): Promise<AppendOutcome | undefined> =>
    (await appendAll({ backbone, time }, [message("gauge-1", "", { payload, publishMs: time.nowMs })]))[0];
  let outcome = await appendOne();
  let taken = 0;
  for (; outcome?.kind === "durable" && taken < 40; outcome = await appendOne()) taken += 1;

  assert.deepEqual(outcome, { kind: "refused", because: "disk_full" });
  assert.ok(taken > 10, `${taken} messages`);
  assert.match(
    backbone.status().because ?? "",
    /events-0\.db could not be written: database or disk is full/,
  );
  // Nothing unread is overwritten: an operator's shorter retention is what makes room.
  backbone.setRetention(gauges, { ageSeconds: 1e9, bytes: 200_000 });
  const removed = await backbone.sweep();
  time.advance(5_000);
  await waitUntil(
    () => backbone.status().healthy,
    () => time.advance(5_000),
  );
  assert.ok(removed > 5);
  assert.equal((await appendOne())?.kind, "durable");
  await backbone.close();
});

test("a full disk acknowledges nothing, turns health red, and recovers by itself", async (t) => {
  const mount = freshFolder();
  mkdirSync(mount);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=3m,mode=0700", "tmpfs", mount], { stdio: "pipe" });
  } catch {
    t.skip("this process may not mount a small file system to fill");
    return;
  }
  const ports = { clock: systemClock, timers: systemTimers, random: systemRandom };
  const backbone = await openSqliteBackbone({ ...ports, folder: join(mount, "events"), partitions: 1 });
  try {
    await backbone.createSubscription(subscription, "earliest");
    const payload = new Uint8Array(20_000);
    const durable: string[] = [];
    const appendOne = (label: string): Promise<AppendOutcome> =>
      new Promise((resolve) =>
        backbone.append(message("gauge-1", "", { payload, deviceMessageId: label }), (outcome) => {
          if (outcome.kind === "durable") durable.push(label);
          resolve(outcome);
        }),
      );
    // Somebody else's file takes most of the disk.
    writeFileSync(join(mount, "other"), new Uint8Array(2_000_000));
    let outcome = await appendOne("0");
    for (let n = 1; outcome.kind === "durable" && n < 500; n += 1) outcome = await appendOne(`${n}`);

    assert.deepEqual(outcome, { kind: "refused", because: "disk_full" });
    assert.equal(backbone.status().healthy, false);
    assert.deepEqual(await appendOne("while full"), { kind: "refused", because: "disk_full" });
    rmSync(join(mount, "other"));
    await waitUntil(() => backbone.status().healthy);
    assert.equal((await appendOne("after")).kind, "durable");
    const received = await backbone.pull("mayfly", "app", 1_000);
    assert.deepEqual(
      received.map((one) => one.message.deviceMessageId),
      durable,
    );
  } finally {
    await backbone.close();
    execFileSync("umount", [mount]);
  }
});

test("the write-ahead log of a partition stays bounded under steady writes", async () => {
  const folder = freshFolder();
  const ports = { clock: systemClock, timers: systemTimers, random: systemRandom };
  const backbone = await openSqliteBackbone({ ...ports, folder, partitions: 1 });
  const payload = new Uint8Array(200_000);
  let longest = 0;

  for (let n = 0; n < 60; n += 1) {
    const round = Array.from(
      { length: 10 },
      () => new Promise((resolve) => backbone.append(message("gauge-1", "", { payload }), resolve)),
    );
    await Promise.all(round);
    longest = Math.max(longest, statSync(join(folder, "events-0.db-wal")).size);
  }
  await backbone.close();

  // 120 MB were written; a log of 8 MB is copied while more is written behind it.
  assert.ok(longest < 70_000_000, `${longest} bytes`);
});

/** Lets the event loop turn until it is so; the test's own timeout is the bound. */
async function waitUntil(isSo: () => boolean, meanwhile: () => void = () => undefined): Promise<void> {
  while (!isSo()) {
    meanwhile();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
