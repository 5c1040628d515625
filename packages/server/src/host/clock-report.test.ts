import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import type { SelfClockStatus } from "../time/self-clock.ts";
import { checkSelfClock, logSelfClock } from "./clock-report.ts";

const trusted: SelfClockStatus = {
  isTrusted: true,
  steps: { wall: 0, former: 0 },
  wallAheadSeconds: 0,
  isSynchronisationLost: false,
};

test("a doubted clock is healthy, and says which way the machine's is wrong", () => {
  const doubted = { ...trusted, isTrusted: false };

  const checks = [
    trusted,
    { ...doubted, wallAheadSeconds: 3_600.2 },
    { ...doubted, wallAheadSeconds: -7.8 },
    { ...doubted, isSynchronisationLost: true },
    doubted,
  ].map(checkSelfClock);

  assert.ok(checks.every(({ healthy }) => healthy));
  const starts = [undefined, /3600 s ahead of/, /8 s behind/, /not synchronised/, /was set within/];
  for (const [index, start] of starts.entries()) {
    const because = checks[index]?.because;
    if (start === undefined) assert.equal(because, undefined);
    else assert.match(because ?? "", start);
  }
});

test("each thing that happens to the clock is one log line, and only good news is no warning", () => {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ base: null, timestamp: false }, { write: (line) => lines.push(JSON.parse(line)) });
  const tell = logSelfClock(log);

  tell({ kind: "stepped", stepSeconds: 3_600, believes: "former", because: "witnesses" });
  tell({ kind: "trusted_again" });

  assert.deepEqual(lines, [
    {
      level: 40,
      event: "clock_self",
      what: "stepped",
      stepSeconds: 3_600,
      believes: "former",
      because: "witnesses",
    },
    { level: 30, event: "clock_self", what: "trusted_again" },
  ]);
});
