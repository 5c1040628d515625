import assert from "node:assert/strict";
import { test } from "node:test";
import type { DeviceLogEntry, DeviceLogPayload } from "@mayfly/core/admin";
import { formatLogEntry } from "./device-log.ts";

function entry(payload: Partial<DeviceLogPayload>): DeviceLogEntry {
  return {
    logName: "projects/mayfly/logs/cloudiot.googleapis.com%2Fdevice_activity",
    resource: { type: "cloudiot_device", labels: {} },
    labels: { device_id: "fern" },
    timestamp: "2026-01-31T12:00:00.000Z",
    severity: "DEBUG",
    jsonPayload: {
      ...{ eventType: "PUBLISH", protocol: "MQTT", serviceName: "cloudiot.googleapis.com" },
      status: { code: 0, description: "OK" },
      ...payload,
    },
  };
}

test("an entry is one line: when, how grave, what, and what came of it", () => {
  const status = { code: 8, description: "RESOURCE_EXHAUSTED", message: "too many" };

  assert.equal(
    formatLogEntry(entry({ publishFromDeviceTopicType: "EVENTS", gateway: { id: "hub" } })),
    "2026-01-31T12:00:00.000Z  DEBUG  MQTT PUBLISH  from device EVENTS  through hub",
  );
  assert.equal(
    formatLogEntry(entry({ eventType: "DISCONNECT", disconnectType: "SERVER", status })),
    "2026-01-31T12:00:00.000Z  DEBUG  MQTT DISCONNECT  by SERVER  RESOURCE_EXHAUSTED: too many",
  );
});

test("a topic's control characters do not reach the terminal", () => {
  const line = formatLogEntry(entry({ eventType: "SUBSCRIBE", mqttTopic: "a\u001b[2J" }));

  assert.match(line, /base64:/);
  assert.ok(!line.includes("\u001b"));
});
