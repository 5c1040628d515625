import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { AdminTokenRecord } from "../registry/store.ts";
import { bootstrapTokenLifetimeMillis, ensureBootstrapToken, hashAdminToken } from "./bootstrap-token.ts";
import { openDataFolder, removeEndpoints, writeEndpoints } from "./data-folder.ts";

const base = mkdtempSync(join(tmpdir(), "mayfly-data-"));
after(() => rmSync(base, { recursive: true }));

function tokenStore(records: AdminTokenRecord[] = []) {
  return {
    records,
    listAdminTokens: async () => records,
    addAdminToken: async (record: AdminTokenRecord) => {
      records.push(record);
    },
  };
}

test("the data folder is closed to everyone but its owner, even when it was open before", async () => {
  const open = join(base, "open");
  mkdirSync(open);
  chmodSync(open, 0o755);

  const made = await openDataFolder(join(base, "closed"));
  const found = await openDataFolder(open);

  assert.equal(statSync(made.root).mode & 0o777, 0o700);
  assert.equal(statSync(found.root).mode & 0o777, 0o700);
});

test("endpoints.json is written whole, owner-only, and gone after an orderly end", async () => {
  const folder = await openDataFolder(join(base, "endpoints"));
  const endpoints = {
    mqtts: "localhost:8883",
    mqttsFurther: ["localhost:443"],
    deviceHttps: "https://localhost:8443",
    time: "localhost:8037",
    admin: "https://localhost:9443",
    ca: folder.caFile,
    adminToken: folder.adminTokenFile,
    project: "mayfly",
    location: "us-central1",
    registry: "",
    pid: 1,
  };

  await writeEndpoints(folder, endpoints);

  assert.deepEqual(JSON.parse(readFileSync(folder.endpointsFile, "utf8")), endpoints);
  assert.equal(statSync(folder.endpointsFile).mode & 0o777, 0o600);
  await removeEndpoints(folder);
  assert.throws(() => statSync(folder.endpointsFile), { code: "ENOENT" });
});

test("the first start makes a loopback token for 24 hours, kept as its hash", async () => {
  const folder = await openDataFolder(join(base, "first"));
  const store = tokenStore();

  await ensureBootstrapToken(store, folder, 1_000);

  const token = readFileSync(folder.adminTokenFile, "utf8").trim();
  assert.deepEqual(store.records, [
    {
      hash: hashAdminToken(token),
      name: "bootstrap",
      loopbackOnly: true,
      createdMs: 1_000,
      expiresMs: 1_000 + bootstrapTokenLifetimeMillis,
    },
  ]);
  assert.equal(JSON.stringify(store.records).includes(token), false);
  assert.equal(statSync(folder.adminTokenFile).mode & 0o777, 0o600);
});

test("a later start makes no second bootstrap token", async () => {
  const folder = await openDataFolder(join(base, "later"));
  const store = tokenStore();
  await ensureBootstrapToken(store, folder, 1_000);

  await ensureBootstrapToken(store, folder, 90_000_000);

  assert.equal(store.records.length, 1);
});
