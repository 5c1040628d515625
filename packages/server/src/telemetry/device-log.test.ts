import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogLevel } from "../registry/model.ts";
import { DeviceLog, deviceLogDevicesMax, deviceLogEntriesMax, type LoggedEvent } from "./device-log.ts";

const registry = { project: "mayfly", location: "here", registry: "greenhouse" };
const clock = { wallSeconds: () => 1_700_000_000.5 };
const device = (logLevel: LogLevel, deviceNumId = "2") => ({
  ...{ registry, registryNumId: "1", deviceId: "fern", deviceNumId, logLevel },
});

/** One of everything: what each level records of it is the test's table. */
function liveADay(log: DeviceLog, logLevel: LogLevel): void {
  const fern = device(logLevel);
  log.connected(fern);
  log.subscribed(fern, "/devices/fern/config", 1);
  log.subscribed(fern, "/devices/fern/events", 0x80);
  log.downlink(fern, "PUBLISH", "config");
  log.downlink(fern, "PUBACK", "config");
  log.published(fern, "MQTT", "events", { kind: "durable" });
  log.published(fern, "HTTP", "state", { kind: "refused", because: "disk_full" });
  log.published(fern, "MQTT", "events", { kind: "rate_limited" });
  log.disconnected(fern, "CLIENT", undefined);
  log.disconnected(fern, "SERVER", { code: 16, message: "SERVER: The authorization token expired." });
}

const failures = ["ERROR SUBSCRIBE 3", "ERROR PUBLISH 14", "ERROR PUBLISH 8", "ERROR DISCONNECT 16"];
for (const [level, wanted] of [
  ["LOG_LEVEL_UNSPECIFIED", []],
  ["NONE", []],
  ["ERROR", failures],
  ["INFO", ["INFO CONNECT 0", ...failures.slice(0, 3), "INFO DISCONNECT 0", ...failures.slice(3)]],
  [
    "DEBUG",
    [
      "INFO CONNECT 0",
      "DEBUG SUBSCRIBE 0",
      "ERROR SUBSCRIBE 3",
      "DEBUG PUBLISH 0",
      "DEBUG PUBACK 0",
      "DEBUG PUBLISH 0",
      ...failures.slice(1, 3),
      "INFO DISCONNECT 0",
      ...failures.slice(3),
    ],
  ],
] as const) {
  test(`at ${level} ${wanted.length} of ten events are recorded`, () => {
    const log = new DeviceLog(clock);

    liveADay(log, level);

    const lines = log
      .list("2")
      .map(({ severity, event }) => `${severity} ${event.eventType} ${event.status?.code ?? 0}`);
    assert.deepEqual(lines, wanted);
    assert.equal(log.size, wanted.length === 0 ? 0 : 1);
  });
}

test("a device keeps its latest 100 entries, oldest first", () => {
  const log = new DeviceLog(clock);

  for (let n = 0; n < 150; n += 1) log.subscribed(device("DEBUG"), `/topic/${n}`, 1);

  const kept = log.list("2").map(({ event }) => event.mqttTopic);
  assert.equal(kept.length, deviceLogEntriesMax);
  assert.deepEqual([kept[0], kept.at(-1)], ["/topic/50", "/topic/149"]);
});

test("the devices entries are kept of are bounded: the one silent for longest is forgotten", () => {
  const log = new DeviceLog(clock);
  for (let n = 0; n < deviceLogDevicesMax; n += 1) log.connected(device("INFO", `${n}`));
  log.connected(device("INFO", "0"));

  log.connected(device("INFO", "one more"));

  assert.equal(log.size, deviceLogDevicesMax);
  assert.deepEqual([log.list("0").length, log.list("1").length, log.list("one more").length], [2, 0, 1]);
});

test("whoever follows a registry hears its devices until he stops, and no other's", () => {
  const log = new DeviceLog(clock);
  const heard: LoggedEvent[] = [];
  const stop = log.follow({ numId: "1" }, (event) => heard.push(event));

  log.connected(device("INFO"));
  log.connected({ ...device("INFO"), registryNumId: "other" });
  stop();
  log.connected(device("INFO"));

  assert.deepEqual(heard, [
    {
      ...{ registry, deviceId: "fern", deviceNumId: "2", atMs: 1_700_000_000_500, severity: "INFO" },
      event: { eventType: "CONNECT", protocol: "MQTT" },
    },
  ]);
});
