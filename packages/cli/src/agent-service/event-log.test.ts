import assert from "node:assert/strict";
import { test } from "node:test";
import { EventLog, linesPerMinute } from "./event-log.ts";

function arrange() {
  const lines: (readonly [string, Readonly<Record<string, unknown>>])[] = [];
  let now = 0;
  const log = new EventLog(
    (level, facts) => lines.push([level, facts]),
    () => now,
  );
  return { log, lines, pass: (millis: number) => (now += millis) };
}

test("an event is one line with its facts, and a message's acknowledgement is none", () => {
  const { log, lines } = arrange();

  log.take({ kind: "renewed", by: "reauthentication", gapMillis: 0 });
  log.take({ kind: "acknowledged", messageId: "m" });

  assert.deepEqual(lines, [["info", { event: "renewed", by: "reauthentication", gapMillis: 0 }]]);
});

test("a failure in a loop fills no disk: what is beyond the bound is counted and told once", () => {
  const { log, lines, pass } = arrange();
  const lost = { kind: "connection_lost", because: "ECONNREFUSED" } as const;
  for (let i = 0; i < linesPerMinute + 7; i++) log.take(lost);
  assert.equal(lines.length, linesPerMinute);

  pass(60_000);
  log.take(lost);

  assert.deepEqual(lines.slice(linesPerMinute), [
    ["warn", { event: "lines_held_back", of: "connection_lost", count: 7 }],
    ["warn", { event: "connection_lost", because: "ECONNREFUSED" }],
  ]);
});
