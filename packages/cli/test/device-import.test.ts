/**
 * `mayfly device import` against a live server: what comes in, what is told, and that a second run changes nothing.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { mayfly, startMayfly, temporaryFolder } from "./mayfly.ts";

/** @returns a device as another registry describes it. */
function described(id: string, change: Readonly<Record<string, unknown>> = {}) {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = publicKey.export({ type: "spki", format: "pem" });
  return {
    id,
    name: `projects/old/locations/us-central1/registries/field/devices/2928540609735937`,
    numId: "2928540609735937",
    credentials: [{ publicKey: { format: "ES256_PEM", key }, expirationTime: "1970-01-01T00:00:00Z" }],
    config: { version: "7", binaryData: "eyJhIjoxfQ==", cloudUpdateTime: "2023-01-01T00:00:00Z" },
    gatewayConfig: {},
    lastEventTime: "2023-01-01T00:00:00Z",
    ...change,
  };
}

test("devices are imported each by itself, told by line what is wrong, and a second run changes nothing", async (t) => {
  const cwd = await temporaryFolder(t);
  const server = startMayfly(t, ["serve", "--ports", "auto", "--log-level", "warn"], { cwd });
  await server.line(() => true);
  const run = (...args: readonly string[]) => mayfly(t, args, { cwd });
  await run("registry", "create", "field", "--policy", "iot-core");
  const fern = described("fern", { metadata: { floor: "2" } });
  const hall = described("hall", { gatewayConfig: { gatewayType: "GATEWAY" } });
  const spoilt = { format: "ES256_PEM", key: "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n" };
  const lines = [
    fern,
    described("moss", { credentials: [{ publicKey: spoilt }] }),
    described("9lives"),
    hall,
  ].map((device) => JSON.stringify(device));
  await writeFile(join(cwd, "devices.json"), `${lines.join("\n")}\n`);

  const tried = await run("device", "import", "devices.json", "--dry-run", "--json");
  const nothingYet = await run("device", "list", "--json");
  const first = await run("device", "import", "devices.json");
  const second = await run("device", "import", "devices.json", "--json");
  await writeFile(join(cwd, "changed.json"), JSON.stringify([{ ...fern, metadata: { floor: "3" } }]));
  const changed = await run("device", "import", "changed.json");
  const shown = JSON.parse((await run("device", "show", "fern", "--json")).stdout).device;

  const dry = JSON.parse(tried.stdout);
  assert.deepEqual([dry.created, dry.thereAlready, dry.failed, dry.dryRun], [2, 0, 2, true]);
  assert.deepEqual(JSON.parse(nothingYet.stdout).devices, []);
  assert.equal(first.code, 1);
  assert.equal(first.stdout, "2 created, 0 there already, 2 failed\n");
  assert.match(first.stderr, /^devices\.json:2: moss: credentials\[0\] holds no public key/m);
  assert.match(first.stderr, /^devices\.json:3: 9lives: The format of 'device\.id' is invalid/m);
  const again = JSON.parse(second.stdout);
  assert.deepEqual([again.created, again.thereAlready, again.failed], [0, 2, 2]);
  assert.match(changed.stderr, /changed\.json:1: fern: it is there already, with other metadata/);
  assert.deepEqual(shown.metadata, { floor: "2" });
  assert.deepEqual([shown.config.version, shown.config.binaryData], ["1", "eyJhIjoxfQ=="]);
  assert.notEqual(shown.numId, fern.numId);
});

test("a file without its registry, or without a server, is one failure and not one for each device", async (t) => {
  const cwd = await temporaryFolder(t);
  const server = startMayfly(t, ["serve", "--ports", "auto", "--log-level", "warn"], { cwd });
  await server.line(() => true);
  await writeFile(join(cwd, "devices.json"), JSON.stringify([described("fern"), described("moss")]));

  const noRegistry = await mayfly(t, ["device", "import", "devices.json", "--registry", "none"], { cwd });
  server.kill("SIGTERM");
  await server.ended;
  const noServer = await mayfly(
    t,
    [
      "device",
      "import",
      "devices.json",
      "--registry",
      "none",
      "--url",
      "https://127.0.0.1:9",
      "--token",
      "t",
    ],
    { cwd },
  );

  assert.deepEqual([noRegistry.code, noServer.code], [1, 1]);
  assert.equal(noRegistry.stderr.trim().split("\n").length, 1);
  assert.equal(noServer.stderr.trim().split("\n").length, 1);
});
