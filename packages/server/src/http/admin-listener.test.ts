import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { AdminApiError, type AdminFetch, createAdminClient } from "@mayfly/core/admin";
import { credential, makePublicKey, openAdminHouse, portOf, publish } from "../../test/http/admin-house.ts";
import { openServerIdentity } from "../host/server-identity.ts";
import { tlsOptions } from "../host/tls-options.ts";
import { createAdminApi } from "./admin-api.ts";

const folder = await mkdtemp(join(tmpdir(), "mayfly-admin-"));
const identity = await openServerIdentity({
  folder: join(folder, "identity"),
  caFile: join(folder, "ca.pem"),
  hostNames: ["localhost", "127.0.0.1"],
  nowMs: Date.now(),
});
const house = await openAdminHouse();
const app = createAdminApi(house.ports, { tls: tlsOptions(identity) });
await app.listen({ host: "127.0.0.1", port: 0 });
const baseUrl = `https://localhost:${portOf(app)}`;

after(async () => {
  await app.close();
  await rm(folder, { recursive: true });
});

/** HTTP/1.1 over TLS as the CLI speaks it. */
const fetchHttps: AdminFetch = (url, init) =>
  new Promise((resolve, reject) => {
    const sent = request(
      url,
      { method: init.method, headers: init.headers, rejectUnauthorized: false },
      (response) => {
        resolve({
          status: response.statusCode ?? 0,
          body: response,
          async text() {
            const chunks: Buffer[] = [];
            for await (const chunk of response) chunks.push(chunk as Buffer);
            return Buffer.concat(chunks).toString();
          },
        });
      },
    );
    sent.on("error", reject);
    sent.end(init.body);
  });

const client = createAdminClient({ baseUrl, token: "mayfly_test-token", fetch: fetchHttps });
const lab = { project: "mayfly", location: "lab" };
const plant = { ...lab, registry: "plant" };
const sensor = { ...plant, device: "sensor-1" };
const sink = { project: "mayfly", subscription: "sink-1" };

test("the client does all the CLI does, over HTTP/1.1 and TLS", async () => {
  const pem = makePublicKey();

  const registry = await client.createRegistry(lab, {
    id: "plant",
    policy: { preset: "strict", skewSeconds: 30 },
  });
  const device = await client.createDevice(plant, {
    id: "sensor-1",
    credentials: [credential(pem) as never],
  });
  const key = await client.addDeviceKey(sensor, {
    format: "ES256_PEM",
    key: makePublicKey(),
    slot: 1,
    state: "pending",
  });
  const changed = await client.changeDeviceKey(sensor, key.keyId, { state: "active" });
  const blocked = await client.updateDevice(sensor, { blocked: true }, ["blocked"]);
  const unblocked = await client.updateDevice(sensor, {}, ["blocked"]);
  const config = await client.modifyConfig(sensor, new TextEncoder().encode("on"), "1");
  await client.sendCommand(sensor, new TextEncoder().encode("go"), "motor");
  await client.createSubscription(sink, { registry: registry.name, from: "earliest" });
  await publish(house, { deviceId: "sensor-1", text: "hi" });
  const [pulled] = await client.pull(sink, { maxMessages: 1, waitSeconds: 5 });
  await client.modifyAckDeadline(sink, [pulled?.ackId ?? ""], 30);
  await client.acknowledge(sink, [pulled?.ackId ?? ""]);
  const rest = await client.pull(sink, { maxMessages: 1, waitSeconds: 0 });

  assert.equal(registry.policy.skewSeconds, 30);
  assert.deepEqual(
    [device.id, changed.state, blocked.blocked, unblocked.blocked],
    ["sensor-1", "active", true, undefined],
  );
  assert.deepEqual([config.version, config.binaryData], ["2", "b24="]);
  assert.deepEqual([pulled?.message.data, rest], ["aGk=", []]);
  assert.deepEqual(
    (await client.listRegistries(lab)).registries.map((one) => one.id),
    ["plant"],
  );
  assert.deepEqual(
    (await client.updateRegistry(plant, { retention: { ageSeconds: 60 } })).retention.ageSeconds,
    60,
  );
  assert.deepEqual((await client.getRegistry(plant)).id, "plant");
  assert.equal((await client.listDevices(plant, { fields: ["blocked"] })).devices.length, 1);
  assert.equal((await client.getDevice(sensor)).numId, device.numId);
  assert.equal((await client.getDeviceDetails(sensor)).keys.length, 2);
  assert.equal(
    (await client.updateDeviceDetails(sensor, { tokensNotBefore: null })).tokensNotBefore,
    undefined,
  );
  assert.equal((await client.listDeviceKeys(sensor)).length, 2);
  assert.equal((await client.listConfigVersions(sensor, 1)).length, 1);
  assert.deepEqual(await client.listStates(sensor), []);
  assert.deepEqual(await client.getSession(sensor), { connected: false });
  assert.equal((await client.getSubscription(sink)).registry, registry.name);
  assert.equal((await client.listSubscriptions("mayfly")).length, 1);
  await client.deleteSubscription(sink);
  await client.deleteDevice(sensor);
});

test("a refusal arrives as AdminApiError with its status and sentence", async () => {
  await assert.rejects(
    client.getRegistry({ ...lab, registry: "nothing" }),
    (error) =>
      error instanceof AdminApiError &&
      error.status === "NOT_FOUND" &&
      error.httpStatus === 404 &&
      /nothing/.test(error.message),
  );
});

test("the tail passes the heartbeat over and yields messages", async () => {
  const tail = client.tail(plant);

  const pending = tail.next();
  // The tail has no history: publish until its listening has begun.
  let isOpen = false;
  const opened = pending.then(() => {
    isOpen = true;
  });
  while (!isOpen) {
    await publish(house, { deviceId: "sensor-1", text: "now" });
    await Promise.race([opened, new Promise((resolve) => setImmediate(resolve))]);
  }
  const line = await pending;
  await tail.return();

  assert.equal(line.value?.kind, "message");
});

test("the same listener speaks HTTP/2", async () => {
  const session = connectHttp2(baseUrl, { rejectUnauthorized: false });
  const stream = session.request({
    ":path": "/v1/projects/mayfly/locations/lab/registries",
    authorization: "Bearer mayfly_test-token",
  });

  const [headers] = await once(stream, "response");
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  session.close();

  assert.equal(headers[":status"], 200);
  assert.equal(JSON.parse(Buffer.concat(chunks).toString()).deviceRegistries[0].id, "plant");
});

test("closing ends an open tail over HTTP/2", async () => {
  const other = createAdminApi(house.ports, { tls: tlsOptions(identity) });
  await other.listen({ host: "127.0.0.1", port: 0 });
  const session = connectHttp2(`https://localhost:${portOf(other)}`, {
    rejectUnauthorized: false,
  });
  const stream = session.request({
    ":path": "/mayfly/v1/projects/mayfly/locations/lab/registries/plant:tail",
    authorization: "Bearer mayfly_test-token",
  });
  await once(stream, "response");
  stream.resume();

  await Promise.all([other.close(), once(stream, "end")]);
  session.destroy();

  assert.ok(stream.readableEnded);
});

test("a refused body over HTTP/2 is answered without a header that HTTP/2 does not know", async () => {
  const warnings: string[] = [];
  const hear = (warning: Error) => warnings.push(warning.name);
  process.on("warning", hear);
  const session = connectHttp2(baseUrl, { rejectUnauthorized: false });
  const stream = session.request({
    ":method": "POST",
    ":path": "/v1/projects/mayfly/locations/lab/registries",
    authorization: "Bearer mayfly_test-token",
    "content-type": "application/json",
  });
  stream.end('{"id":');

  const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
  stream.resume();
  await once(stream, "close");
  session.close();
  process.off("warning", hear);

  assert.equal(headers[":status"], 400);
  assert.deepEqual(warnings, []);
});
