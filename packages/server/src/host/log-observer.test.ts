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
