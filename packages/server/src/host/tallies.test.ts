import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry } from "prom-client";
import { createTalliedCounter, createTalliedHistogram } from "./tallies.ts";

test("a histogram's buckets are cumulative, an observation at a bound belongs to it, and +Inf counts all", () => {
  const histogram = createTalliedHistogram({
    name: "wait_seconds",
    help: "Waits.",
    label: "kind",
    values: ["a"],
    upperBounds: [0.5, 1],
  });

  for (const observed of [0.25, 0.5, 0.75, 8]) histogram.observe("a", observed);

  assert.equal(
    histogram.text(),
    [
      "# HELP wait_seconds Waits.",
      "# TYPE wait_seconds histogram",
      'wait_seconds_bucket{le="0.5",kind="a"} 2',
      'wait_seconds_bucket{le="1",kind="a"} 3',
      'wait_seconds_bucket{le="+Inf",kind="a"} 4',
      'wait_seconds_sum{kind="a"} 9.5',
      'wait_seconds_count{kind="a"} 4',
      "",
    ].join("\n"),
  );
});

test("what was added to a counter's series is told once, however often somebody scrapes", async () => {
  const register = new Registry();
  const series = createTalliedCounter({
    name: "things_total",
    help: "Things.",
    labelNames: ["kind"],
    registers: [register],
  }).of({ kind: "a" });
  series.add(2);
  await register.metrics();
  series.add(3);

  const text = await register.metrics();

  assert.match(text, /^things_total\{kind="a"\} 5$/m);
});
