/** What only Sessions on disk can promise. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { policyPresets } from "@mayfly/core/token";
import { keptPacketIdentifierMax } from "../../src/registry/session-store.ts";
import { openSqliteRegistryStore } from "../../src/store/sqlite/index.ts";
import { migrate } from "../../src/store/sqlite/migrate.ts";
import { registryMigrations } from "../../src/store/sqlite/registry-schema.ts";
import { killAfterLines, startChild } from "./child-process.ts";
import { deviceRef, key, newDevice, newRegistry, refusal, registryRef } from "./registry-store.contract.ts";
import { commandOf, found, gauge, kept, sessionOf, subfolders } from "./session-store.contract.ts";
import { seededRandom, VirtualTime } from "./virtual-ports.ts";

const parent = mkdtempSync(join(tmpdir(), "mayfly-sessions-"));
after(() => rmSync(parent, { recursive: true }));
let files = 0;
function freshFile(): string {
  files += 1;
  return join(parent, `${files}`, "registry.db");
}

function open(file: string, time = new VirtualTime(), exclusive: "serve" | "tool" = "serve") {
  return openSqliteRegistryStore({ ...time, random: seededRandom(7), file, exclusive });
}

/** A store with one device and its Session, whose connection is `c1`. */
async function openWithSession(file: string, time = new VirtualTime()) {
  const store = await open(file, time);
  await store.createRegistry(newRegistry());
  await store.createDevice(newDevice("gauge-1", [key("a"), key("b")]));
  await store.saveSession(gauge, sessionOf("c1", { expirySeconds: 60 }));
  return store;
}

function count(file: string, table: "session" | "session_command"): number {
  const database = new DatabaseSync(file, { readOnly: true });
  const row = database.prepare(`SELECT count(*) AS n FROM ${table}`).get();
  database.close();
  return Number(row?.["n"]);
}

test("a Session and its commands are there after closing and opening again", async () => {
  const file = freshFile();
  const before = await openWithSession(file);
  await before.queueCommand(gauge, commandOf("sent", { isSentNow: true }));
  await before.queueCommand(gauge, commandOf("waits"));
  const session = kept(before);
  await before.close();

  const again = await open(file);

  assert.deepEqual(found(again), session);
  assert.deepEqual(
    session.commands.map((command) => command.mayHaveBeenSent),
    [true, false],
  );
  await again.close();
});

test("a Session that was connected when its server ended is over its expiry after the next one begins", async () => {
  const file = freshFile();
  const time = new VirtualTime();
  const before = await openWithSession(file, time);
  await before.close();
  time.advance(3_600_000); // The server is down, which is no fault of the device.

  const again = await open(file, time);

  time.advance(59_999);
  assert.ok(found(again));
  time.advance(1);
  assert.equal(found(again), undefined);
  await again.close();
});

test("a new start finds every Session that was connected, however many", async () => {
  const file = freshFile();
  await (await openWithSession(file)).close();
  const database = new DatabaseSync(file, { enableForeignKeyConstraints: false });
  // More than one command marks at once; the devices they would belong to are not looked at.
  database.exec(`WITH RECURSIVE n (n) AS (SELECT 1000 UNION ALL SELECT n + 1 FROM n WHERE n < 12000)
    INSERT INTO session (device_pk, owner, key_fingerprint, expiry_seconds, next_packet_identifier)
    SELECT n, 'c1', '', 60, 1 FROM n`);
  database.close();

  await (await open(file)).close();

  const after = new DatabaseSync(file, { readOnly: true });
  const row = after.prepare("SELECT count(owner) AS connected, count(ends_ms) AS leaving FROM session").get();
  after.close();
  assert.deepEqual({ ...row }, { connected: 0, leaving: 11_002 });
});

test("a file whose Sessions cannot be given an end is not served, and not held either", async () => {
  const file = freshFile();
  await (await openWithSession(file)).close();
  const vandal = new DatabaseSync(file);
  vandal.exec("CREATE TRIGGER stop BEFORE UPDATE ON session BEGIN SELECT RAISE(ABORT, 'stop'); END");

  await assert.rejects(open(file), refusal("store_failed"));

  vandal.exec("DROP TRIGGER stop");
  vandal.close();
  await (await open(file)).close();
});

test("a connection of a server before owns nothing, even under a name that is used again", async () => {
  const file = freshFile();
  const before = await openWithSession(file);
  await before.close();
  const again = await open(file);

  await again.endSession(gauge, "c1");
  await again.leaveSession(gauge, "c1", 0);

  assert.equal(kept(again).expirySeconds, 60);
  await again.close();
});

test("a new start gives a Session that was left no more time", async () => {
  const file = freshFile();
  const time = new VirtualTime();
  const before = await openWithSession(file, time);
  await before.leaveSession(gauge, "c1", 60);
  await before.close();
  time.advance(59_000);
  await (await open(file, time)).close();

  time.advance(1_000);

  const again = await open(file, time);
  assert.equal(found(again), undefined);
  await again.close();
});

for (const lines of [41, 110]) {
  test(`after kill -9 every command that was answered is kept, and none that was acknowledged: ${lines} answers`, async () => {
    const file = freshFile();
    const answers = await killAfterLines(startChild("serve-sessions.ts", file), lines);

    const store = await open(file);

    const identifiers = kept(store).commands.map((command) => command.packetIdentifier);
    const acknowledged = new Set(
      answers.filter((line) => line.startsWith("-")).map((line) => Number(line.slice(1))),
    );
    assert.ok(identifiers.every((identifier) => !acknowledged.has(identifier)));
    for (const line of answers.filter((one) => one.startsWith("+"))) {
      const identifier = Number(line.slice(1));
      // The one after the last that was acknowledged may be gone, too: its answer was under way.
      const isGone =
        acknowledged.has(identifier) || (acknowledged.size > 0 && acknowledged.has(identifier - 1));
      assert.ok(isGone || identifiers.includes(identifier), `${line} of ${identifiers}`);
    }
    // Whether one may have been sent stays as it was recorded; n0 was, n1 was not, and so on.
    for (const { subfolder, mayHaveBeenSent } of kept(store).commands) {
      assert.equal(mayHaveBeenSent, Number(subfolder.slice(1)) % 2 === 0, subfolder);
    }
    await store.close();
  });
}

test("a program beside the server ends the Session of a key it retires, and its visit alone ends none", async () => {
  const file = freshFile();
  const server = await openWithSession(file);
  const tool = await open(file, new VirtualTime(), "tool");
  assert.ok(found(server), "a visit is no new start");
  await server.leaveSession(gauge, "c1", 50);
  assert.equal(kept(server).expirySeconds, 50, "and the owner is still the owner");

  await tool.updateDevice(gauge, { keys: [key("a", "retired"), key("b")] });

  assert.equal(found(server), undefined);
  await tool.close();
  await server.close();
});

test("with a device go the rows of its Session", async () => {
  const file = freshFile();
  const store = await openWithSession(file);
  await store.queueCommand(gauge, commandOf("one"));
  assert.deepEqual([count(file, "session"), count(file, "session_command")], [1, 1]);

  await store.deleteDevice(gauge);

  assert.deepEqual([count(file, "session"), count(file, "session_command")], [0, 0]);
  await store.close();
});

test("Sessions that are over leave the file, however many, and the others stay", async () => {
  const file = freshFile();
  const time = new VirtualTime();
  const store = await openWithSession(file, time);
  await store.queueCommand(gauge, commandOf("stays"));
  const ids = Array.from({ length: 250 }, (_, n) => `left-${n}`);
  await Promise.all(ids.map((id) => store.createDevice(newDevice(id, [key(id)]))));
  for (const id of ids) {
    void store.saveSession(deviceRef(id), sessionOf("c2", { keyFingerprint: key(id).fingerprint }));
    void store.queueCommand(deviceRef(id), commandOf("goes"));
    void store.leaveSession(deviceRef(id), "c2", 60);
  }
  await store.removeCommand(gauge, 77); // Writes are in order: what was asked before it is done.
  assert.deepEqual([count(file, "session"), count(file, "session_command")], [251, 251]);

  time.advance(600_000);
  for (let turns = 0; turns < 1_000 && count(file, "session") > 1; turns += 1) {
    await store.removeCommand(gauge, 77);
  }

  assert.deepEqual([count(file, "session"), count(file, "session_command")], [1, 1]);
  assert.deepEqual(subfolders(store), ["stays"]);
  await store.close();
});

test("Packet Identifiers turn around at their end and pass over one that still waits", async () => {
  const file = freshFile();
  const before = await openWithSession(file);
  await before.queueCommand(gauge, commandOf("stays"));
  await before.close();
  const database = new DatabaseSync(file);
  database.exec(`UPDATE session SET next_packet_identifier = ${keptPacketIdentifierMax}`);
  database.close();
  const store = await open(file);

  const outcomes = [
    await store.queueCommand(gauge, commandOf("last")),
    await store.queueCommand(gauge, commandOf("first again")),
  ];

  assert.deepEqual(outcomes, [
    { kind: "queued", packetIdentifier: keptPacketIdentifierMax },
    { kind: "queued", packetIdentifier: 2 },
  ]);
  assert.deepEqual(subfolders(store), ["stays", "last", "first again"], "oldest first, whatever the number");
  await store.close();
});

test("a Session that cannot be read is not one that does not exist", async () => {
  const file = freshFile();
  const store = await openWithSession(file);
  const vandal = new DatabaseSync(file);
  vandal.exec("ALTER TABLE session RENAME TO gone");
  vandal.close();

  assert.equal(found(store), "unavailable");

  assert.equal(store.status().healthy, false);
  await store.close();
});

test("a registry file of before there were Sessions is migrated, with its devices", async () => {
  const file = freshFile();
  mkdirSync(dirname(file), { recursive: true });
  const before = registryMigrations.findIndex(({ sql }) => sql.includes("CREATE TABLE session "));
  const database = new DatabaseSync(file);
  migrate(database, registryMigrations.slice(0, before), file);
  const { project, location, registry } = registryRef;
  database
    .prepare(
      `INSERT INTO registry VALUES (1, ?, ?, ?, '1000000000000001', ?, 604800, 1073741824, 1, 1, 'NONE', '[]', '', '[]', 1, 1)`,
    )
    .run(project, location, registry, JSON.stringify(policyPresets.strict));
  database
    .prepare(
      `INSERT INTO device VALUES (1, 1, 'gauge-1', '1000000000000002', 0, NULL, ?, 'NONE', '{}', 'NON_GATEWAY',
         'GATEWAY_AUTH_METHOD_UNSPECIFIED', 1, 1)`,
    )
    .run(JSON.stringify([key("a")]));
  database.close();

  const store = await open(file);

  assert.equal(found(store), undefined);
  await store.saveSession(gauge, sessionOf("c1"));
  await store.queueCommand(gauge, commandOf("one"));
  assert.deepEqual(subfolders(store), ["one"]);
  await store.close();
});
