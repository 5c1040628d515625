import assert from "node:assert/strict";
import { test } from "node:test";
import { type AdminHouse, lab, openAdminHouse, portOf } from "../../test/http/admin-house.ts";

const device = `${lab}/plant/devices/sensor-1`;

async function openPlant() {
  const house = await openAdminHouse();
  await house.call("POST", lab, { id: "plant" });
  const { numId } = (await house.call("POST", `${lab}/plant/devices`, { id: "sensor-1" })).body;
  const registry = { project: "mayfly", location: "lab", registry: "plant" };
  const registryNumId = (await house.store.findRegistry(registry))?.numId ?? "";
  const logged = {
    registry,
    registryNumId,
    deviceId: "sensor-1",
    deviceNumId: numId,
    logLevel: "DEBUG",
  } as const;
  return { house, numId, logged };
}

test("the latest entries of a device have the shape a log sink of Cloud IoT Core delivered", async () => {
  const { house, numId, logged } = await openPlant();
  const log = house.ports.deviceLog;
  log.connected(logged);
  log.disconnected(logged, "SERVER", { code: 16, message: "SERVER: The authorization token expired." });

  const answer = await house.call("GET", `/mayfly${device}:log`);
  const latest = await house.call("GET", `/mayfly${lab}/plant/devices/${numId}:log?limit=1`);

  const common = {
    logName: "projects/mayfly/logs/cloudiot.googleapis.com%2Fdevice_activity",
    resource: {
      type: "cloudiot_device",
      labels: {
        project_id: "mayfly",
        location: "lab",
        device_registry_id: "plant",
        device_num_id: numId,
      },
    },
    labels: { device_id: "sensor-1" },
    timestamp: "2023-11-14T22:13:20.000Z",
  };
  assert.deepEqual(answer.body.entries, [
    {
      ...common,
      severity: "INFO",
      jsonPayload: {
        ...{ eventType: "CONNECT", protocol: "MQTT", serviceName: "cloudiot.googleapis.com" },
        status: { code: 0, description: "OK" },
      },
    },
    {
      ...common,
      severity: "ERROR",
      jsonPayload: {
        ...{ eventType: "DISCONNECT", protocol: "MQTT", serviceName: "cloudiot.googleapis.com" },
        disconnectType: "SERVER",
        status: {
          ...{ code: 16, description: "UNAUTHENTICATED" },
          message: "SERVER: The authorization token expired.",
        },
      },
    },
  ]);
  assert.deepEqual(latest.body.entries, answer.body.entries.slice(1));
});

test("a device that was never logged has an empty log; one that does not exist has none", async () => {
  const { house } = await openPlant();

  const empty = await house.call("GET", `/mayfly${device}:log`);
  const unknown = await house.call("GET", `/mayfly${lab}/plant/devices/nobody:log`);

  assert.deepEqual([empty.status, empty.body, unknown.status], [200, { entries: [] }, 404]);
});

test("the stream of a device has its entries and nobody else's, that of the registry has all", async () => {
  const { house, logged } = await openPlant();
  const log = house.ports.deviceLog;
  await house.app.listen({ port: 0, host: "127.0.0.1" });
  const [own, all] = await Promise.all([
    readLines(house, `${device}:tailLog`),
    readLines(house, `${lab}/plant:tailLog`),
  ]);

  log.connected({ ...logged, deviceId: "other", deviceNumId: "5" });
  log.connected(logged);
  await house.app.close();

  const idsOf = async (lines: Promise<string>) =>
    (await lines)
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line).entry.labels.device_id);
  assert.deepEqual([await idsOf(own.rest), await idsOf(all.rest)], [["sensor-1"], ["other", "sensor-1"]]);
});

/** Resolves when the stream is open. */
async function readLines(house: AdminHouse, path: string): Promise<{ readonly rest: Promise<string> }> {
  const response = await fetch(`http://127.0.0.1:${portOf(house.app)}/mayfly${path}`, {
    headers: { authorization: "Bearer mayfly_test-token" },
  });
  assert.equal(response.headers.get("content-type"), "application/x-ndjson; charset=utf-8");
  return { rest: response.text() };
}
