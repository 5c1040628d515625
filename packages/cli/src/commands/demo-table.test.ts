import assert from "node:assert/strict";
import { test } from "node:test";
import { viewDevice } from "../demo/view.ts";
import { formatDemoLines, formatDemoTable } from "./demo-table.ts";

const line = {
  at: "2026-01-01T00:00:00.000Z",
  id: "sensor-1",
  state: "connected",
  slot: 0,
  keyId: "k",
  tokenRemainingSeconds: 42,
  renewals: 3,
  connects: 4,
  sent: 61,
  acked: 60,
  refused: 0,
  queued: 1,
  gapMs: 7,
  newlyAcked: [],
};
const view = {
  at: line.at,
  devices: [viewDevice("sensor-1", line, 2), viewDevice("sensor-2", undefined, 0)],
};

test("the table shows each device, and sums below", () => {
  assert.equal(
    formatDemoTable(view, 61, 80),
    [
      "DEVICE    SLOT  TOKEN LEFT  RENEWALS  SENT  ACKED  LOST  GAP MS",
      "sensor-1     0  42 s               3    61     60     2       7",
      "sensor-2     -  -                  0     0      0     0       0",
      "1 min 1 s: 3 renewals, 60 messages acknowledged, 2 lost",
    ].join("\n"),
  );
});

test("no line of the table is wider than the terminal", () => {
  const lines = formatDemoTable(view, 61, 20).split("\n");

  assert.ok(lines.every(({ length }) => length <= 20));
});

test("without a terminal there is one line a device", () => {
  assert.equal(
    formatDemoLines(view).split("\n")[0],
    "2026-01-01T00:00:00.000Z  sensor-1  slot 0  token 42 s  renewals 3  sent 61  acked 60  lost 2  gap 7 ms",
  );
});
