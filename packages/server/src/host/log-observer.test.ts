import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { createLogObserver, refusalLinesPerSecond } from "./log-observer.ts";

function logged() {
  const lines: Record<string, unknown>[] = [];
  const log = pino(
    {},
    { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  return { lines, log };
}

test("a refused request is a line with its reason and device, and shares the rate of refused connects", () => {
  const { lines, log } = logged();
  const observer = createLogObserver(log, () => 0);
  const deviceName = { project: "mayfly", location: "here", registry: "greenhouse", device: "fern" };
  const remoteAddress = "192.0.2.1";

  observer.requestRefused({ because: "token_expired", authenticity: "authentic", deviceName, remoteAddress });
  for (let index = 0; index < refusalLinesPerSecond; index += 1) {
    observer.connectRefused({ because: "device_unknown", link: { remoteAddress } });
  }

  const { event, because, device, authenticity, address } = lines[0] ?? {};
  assert.deepEqual(
    [event, because, device, authenticity, address],
    [
      "request_refused",
      "token_expired",
      "projects/mayfly/locations/here/registries/greenhouse/devices/fern",
      "authentic",
      remoteAddress,
    ],
  );
  assert.equal(lines.length, refusalLinesPerSecond);
});

test("refusals beyond the rate are not written, but counted in one line of the next second", () => {
  const { lines, log } = logged();
  let now = 0;
  const observer = createLogObserver(log, () => now);
  const refuse = () =>
    observer.connectRefused({ because: "device_unknown", link: { remoteAddress: "192.0.2.1" } });

  for (let index = 0; index < refusalLinesPerSecond + 5; index += 1) refuse();
  const inFirstSecond = lines.length;
  now = 1_000;
  refuse();

  assert.equal(inFirstSecond, refusalLinesPerSecond);
  assert.deepEqual(
    lines.slice(inFirstSecond).map(({ event, count }) => ({ event, count })),
    [
      { event: "refusals_not_logged", count: 5 },
      { event: "connect_refused", count: undefined },
    ],
  );
});

test("an alarm is a line with its kind, device and both addresses, also when refusals fill the second", () => {
  const { lines, log } = logged();
  const observer = createLogObserver(log, () => 0);
  const place = { project: "mayfly", location: "here", registry: "greenhouse" };
  for (let index = 0; index < refusalLinesPerSecond + 5; index += 1) {
    observer.connectRefused({ because: "device_unknown", link: { remoteAddress: "192.0.2.1" } });
  }

  observer.alarm({
    kind: "token_reused",
    device: { ...place, device: "fern" },
    addresses: ["192.0.2.1", "198.51.100.7"],
    keyId: "k",
    otherDevice: { ...place, device: "moss" },
  });

  const { level: _level, time: _time, pid: _pid, hostname: _hostname, ...line } = lines.at(-1) ?? {};
  assert.deepEqual(line, {
    event: "alarm",
    kind: "token_reused",
    device: "projects/mayfly/locations/here/registries/greenhouse/devices/fern",
    addresses: ["192.0.2.1", "198.51.100.7"],
    key: "k",
    otherDevice: "projects/mayfly/locations/here/registries/greenhouse/devices/moss",
  });
});
