import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentStatus } from "@mayfly/device";
import { describeStatus } from "./status-words.ts";

const agent: AgentStatus = {
  state: "connected",
  keyId: "slot-0",
  authentication: "method",
  renewals: 0,
  renewalsBy: { reauthentication: 0, handover: 0, reconnect: 0 },
  connects: 1,
  sent: 0,
  resent: 0,
  acknowledged: 0,
  refused: 0,
  dropped: 0,
  queuedMessages: 0,
  queuedBytes: 0,
  longestGapMillis: 0,
};

function describe(changes: Partial<AgentStatus>): readonly string[] {
  const lines = describeStatus({
    device: "fern",
    bridge: "bridge.example:8883",
    mqtt: 5,
    upSeconds: 60,
    commandsWaiting: 0,
    commandsTaken: 0,
    agent: { ...agent, ...changes },
  });
  return lines.slice(0, lines.indexOf(""));
}

test("a device that is well has one sentence to say of it", () => {
  assert.deepEqual(describe({}), ["Connected."]);
});

test("a connection that outlives the belief in the clock says so", () => {
  assert.deepEqual(describe({ waitingBecause: "the battery is empty" }), [
    "Connected.",
    "It signs nothing now: the battery is empty.",
  ]);
});

test("a device that backs off says until when, why, and what the bridge last said", () => {
  const lines = describe({
    state: "backing_off",
    retry: { because: "refused", inSeconds: 42.4 },
    lastRefusal: "not authorized",
  });

  assert.deepEqual(lines, [
    "Not connected: it tries again after a pause.",
    "It tries again in 42 s: the bridge did not take its token.",
    "The bridge last refused it: not authorized.",
  ]);
});

test("a wait that is just over is a second", () => {
  assert.match(describe({ retry: { because: "network", inSeconds: 0 } })[1] ?? "", /in 1 s:/);
});
