import assert from "node:assert/strict";
import { test } from "node:test";
import type { LinkEvents } from "../ports.ts";
import { Connection, type ConnectionReport, linkOpenMillisMax } from "./connection.ts";
import { SessionState } from "./session-state.ts";
import { wireDefaults } from "./wire-settings.ts";

const options = {
  protocolVersion: 5,
  clientIdentifier: "projects/p/locations/l/registries/r/devices/lamp",
  device: "lamp",
  keepAliveSeconds: 60,
  cleanStart: true,
  authentication: "method",
  wire: wireDefaults,
} as const;

function arrange() {
  const timers: { readonly delayMillis: number; readonly run: () => void; isCancelled: boolean }[] = [];
  const reports: ConnectionReport[] = [];
  const events: LinkEvents[] = [];
  let closes = 0;
  const connection = new Connection(
    {
      clock: { monotonicMillis: () => 0 },
      timers: {
        after(delayMillis, run) {
          const timer = { delayMillis, run, isCancelled: false };
          timers.push(timer);
          return () => {
            timer.isCancelled = true;
          };
        },
      },
      connect(taker) {
        events.push(taker);
        return {
          write: () => undefined,
          bufferedBytes: 0,
          close: () => {
            closes += 1;
          },
          pause: () => undefined,
          resume: () => undefined,
        };
      },
    },
    options,
    new SessionState(),
    (_connection, report) => reports.push(report),
  );
  return { connection, timers, reports, link: () => events[0], closes: () => closes };
}

test("a link that does not open within the longest wait is given up and closed, once", () => {
  const { timers, reports, link, closes } = arrange();

  timers[0]?.run();
  link()?.opened();
  link()?.closed("late");

  assert.equal(timers[0]?.delayMillis, linkOpenMillisMax);
  assert.deepEqual(reports, [{ kind: "unreachable", because: "no connection in time" }]);
  assert.equal(closes(), 1);
});

test("a link that opens stops the wait", () => {
  const { timers, reports, link } = arrange();

  link()?.opened();

  assert.equal(timers[0]?.isCancelled, true);
  assert.deepEqual(reports, [{ kind: "opened" }]);
});
