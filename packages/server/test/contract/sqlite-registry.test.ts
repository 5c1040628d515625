/** What only a registry on disk can promise. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { systemClock, systemRandom, systemTimers } from "../../src/host/system-ports.ts";
import type { RegistryChange } from "../../src/registry/model.ts";
import { openSqliteRegistryStore } from "../../src/store/sqlite/index.ts";
import { migrate } from "../../src/store/sqlite/migrate.ts";
import { registryMigrations } from "../../src/store/sqlite/registry-schema.ts";
import { exitCode, killAfterLines, startChild } from "./child-process.ts";
import {
  attempt,
  deviceRef,
  key,
  newDevice,
  newRegistry,
  refusal,
  registryRef,
} from "./registry-store.contract.ts";
import { seededRandom, VirtualTime } from "./virtual-ports.ts";

const parent = mkdtempSync(join(tmpdir(), "mayfly-registry-"));
after(() => rmSync(parent, { recursive: true }));
let files = 0;
function freshFile(): string {
  files += 1;
  return join(parent, `${files}`, "registry.db");
}

function open(file: string, exclusive: "serve" | "tool" = "serve", time = new VirtualTime()) {
  return openSqliteRegistryStore({ ...time, random: seededRandom(7), file, exclusive });
}

test("everything is there after closing and opening again, keys and revocations too", async () => {
  const file = freshFile();
  const before = await open(file);
  await before.createRegistry(newRegistry());
  const made = await before.createDevice(
    newDevice("gauge-1", [key("a", "revoked"), { ...key("b"), slot: 2 }]),
  );
  before.recordActivity({ device: deviceRef("gauge-1"), activity: { heartbeatMs: 5 } });
  await before.close();

  const again = await open(file);

  assert.deepEqual(await again.findDevice(deviceRef("gauge-1")), { ...made, activity: { heartbeatMs: 5 } });
  await assert.rejects(again.createDevice(newDevice("gauge-2", [key("a")])), refusal("key_taken"));
  await again.close();
});

test("a registry that cannot be read says so to look-ups, which is not the answer for an unknown device", async () => {
  const file = freshFile();
  const store = await open(file);
  await store.createRegistry(newRegistry());
  await store.createDevice(newDevice("gauge-1", [key("a")]));
  const vandal = new DatabaseSync(file);
  vandal.exec("ALTER TABLE registry RENAME TO gone");
  vandal.close();

  const answers: unknown[] = [];
  store.lookUpAdmission(deviceRef("gauge-1"), (record) => answers.push(record));
  store.lookUpConfig(deviceRef("gauge-1"), (config) => answers.push(config));

  assert.deepEqual(answers, ["unavailable", "unavailable"]);
  assert.equal(store.status().healthy, false);
  await store.close();
});

test("a file made before there were authentication records keeps its devices and takes records", async () => {
  const file = freshFile();
  mkdirSync(dirname(file), { recursive: true });
  const old = new DatabaseSync(file);
  migrate(old, registryMigrations.slice(0, 1), file);
  old.exec(`INSERT INTO registry VALUES (1, 'mayfly', 'europe-west1', 'gauges', '7', '{}', 1, 1, 1, 1, 'NONE', '[]', '', '[]', 1, 1);
    INSERT INTO device VALUES (1, 1, 'gauge-1', '8', 0, NULL, '[]', 'NONE', '{}', 'NON_GATEWAY', 'ASSOCIATION_ONLY', 1, 1);
    INSERT INTO device_config VALUES (1, 1, 1, NULL, x'');`);
  old.close();

  const store = await open(file);
  store.recordAuthentication({ device: deviceRef("8"), series: "a", record: attempt(1) });
  await store.close();

  const again = await open(file);
  assert.deepEqual(await again.listAuthentications(deviceRef("gauge-1"), 50), [attempt(1)]);
  const { registry } = deviceRef("gauge-1");
  const kept = await again.findRegistry({ project: "mayfly", location: "europe-west1", registry });
  assert.equal(kept?.policy.keyOffers, "refuse");
  assert.equal(kept?.policy.attachEndsDirectSession, false);
  assert.equal(kept?.policy.messagesPerSecond, 0);
  await again.close();
});

test("a file with a newer schema is refused with a sentence and left as it is", async () => {
  const file = freshFile();
  await (await open(file)).close();
  const database = new DatabaseSync(file);
  database.exec("PRAGMA user_version=99");
  database.close();

  for (const exclusive of ["serve", "tool"] as const) {
    await assert.rejects(open(file, exclusive), (error: Error) => {
      const sentence = `has schema 99, and this Mayfly knows up to ${registryMigrations.length}: run the version that wrote it`;
      assert.ok(error.message.includes(sentence), error.message);
      return refusal("schema_too_new")(error);
    });
  }
  const after = new DatabaseSync(file, { readOnly: true });
  assert.equal(after.prepare("PRAGMA user_version").get()?.["user_version"], 99);
  after.close();
});

test("files are the owner's alone, also where they were not", async () => {
  const file = freshFile();
  const store = await open(file);
  await store.createRegistry(newRegistry());

  const folder = join(file, "..");
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  for (const name of readdirSync(folder))
    assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
  await store.close();
  chmodSync(file, 0o644);
  await (await open(file)).close();
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test("a second server on the same file is refused, a tool is not, and a tool never migrates under a server", async () => {
  const file = freshFile();
  const server = await open(file);

  await assert.rejects(open(file), (error: Error) => {
    assert.match(error.message, /^another process serves .*; stop it first$/);
    return refusal("locked")(error);
  });
  await (await open(file, "tool")).close();
  await server.close();
  await (await open(file)).close();
});

test("after kill -9 the file opens at once, and every device that was answered is there", async () => {
  const file = freshFile();
  const lines = await killAfterLines(startChild("serve-registry.ts", file), 400);

  const store = await open(file);

  for (const deviceId of lines.slice(1)) assert.ok(await store.findDevice(deviceRef(deviceId)), deviceId);
  await store.close();
});

test("a lock held by another process is seen, and gone with it", async () => {
  const file = freshFile();
  const child = startChild("serve-registry.ts", file);
  if (child.stdout === null) throw new Error("no output");
  await once(child.stdout, "data");

  await assert.rejects(open(file), refusal("locked"));

  child.kill("SIGKILL");
  await exitCode(child);
  await (await open(file)).close();
});

test("what another process commits is told within 250 ms of the commit, and admission sees it at once", async () => {
  const file = freshFile();
  const ports = { clock: systemClock, timers: systemTimers, random: systemRandom };
  const store = await openSqliteRegistryStore({ ...ports, file, exclusive: "serve" });
  await store.createRegistry(newRegistry());
  await store.createDevice(newDevice("gauge-1"));
  const told = new Promise<{ change: RegistryChange; lateMs: number }>((resolve) => {
    store.onChange((change) => resolve({ change, lateMs: Date.now() - change.atMs }));
  });

  const child = startChild("change-as-tool.ts", file);
  const { change, lateMs } = await told;

  assert.equal(change.kind, "device_updated");
  assert.equal(change.deviceId, "gauge-1");
  // 250 ms are promised on an idle machine; a test machine is not.
  assert.ok(lateMs < 1_000, `${lateMs} ms`);
  assert.equal((await store.findAdminToken("ab".repeat(32)))?.name, "host");
  assert.equal(await exitCode(child), 0);
  await store.close();
});

test("the change log forgets what is older than a day, and numbers go on", async () => {
  const file = freshFile();
  const time = new VirtualTime();
  const store = await open(file, "serve", time);
  await store.createRegistry(newRegistry());
  time.advance(25 * 3_600_000);
  await store.updateRegistry(registryRef, { logLevel: "INFO" });
  await store.close();

  const database = new DatabaseSync(file, { readOnly: true });
  const rows = database.prepare("SELECT sequence FROM change_log").all();
  database.close();
  assert.deepEqual(
    rows.map((row) => row["sequence"]),
    [2],
  );
});

test("the registry's write-ahead log stays bounded under steady writes", async () => {
  const file = freshFile();
  const store = await open(file);
  await store.createRegistry(newRegistry());
  await store.createDevice(newDevice("gauge-1"));
  const binaryData = new Uint8Array(60_000);

  for (let n = 0; n < 60; n += 1) {
    const round = Array.from({ length: 10 }, () =>
      store.appendState(deviceRef("gauge-1"), { updateMs: n, binaryData }),
    );
    await Promise.all(round);
  }

  // 36 MB were written; the log is begun anew at some 4 MB and a look.
  assert.ok(statSync(`${file}-wal`).size < 16_000_000, `${statSync(`${file}-wal`).size} bytes`);
  await store.close();
});
