import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentStatus } from "@mayfly/device";
import { describeStatus } from "./status-words.ts";

const connected: AgentStatus = {
  state: "connected",
  keyId: "116de1e2",
  authentication: "method",
  tokenRemainingSeconds: 3_000,
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

/** The lines above the empty one. */
function headlines(agent: Partial<AgentStatus>): string {
  const lines = describeStatus({
    device: "projects/p/locations/l/registries/r/devices/lamp",
    bridge: "bridge.example:8883",
    mqtt: 5,
    upSeconds: 60,
    commandsWaiting: 0,
    commandsTaken: 0,
    agent: { ...connected, ...agent },
  });
  return lines.slice(0, lines.indexOf("")).join("\n");
}

const away = { because: "network", detail: "ECONNREFUSED" } as const;
const cases: readonly (readonly [string, Partial<AgentStatus>, string])[] = [
  ["all is well", {}, "Connected."],
  [
    "an outage names what is wrong, when it tries again, and what is kept",
    { state: "backing_off", trouble: away, retry: { because: "network", inSeconds: 12 }, queuedMessages: 3 },
    "Not connected: nothing listens at the bridge's address; it may be down (ECONNREFUSED).\n" +
      "It tries again in 12 s; 3 messages kept for then.",
  ],
  [
    "an attempt after a failure still says what failed",
    { state: "connecting", trouble: away },
    "Not connected: nothing listens at the bridge's address; it may be down (ECONNREFUSED).\nIt is trying now.",
  ],
  [
    "a renewal that fails says how long the present token lasts",
    {
      state: "connected",
      trouble: { because: "no_key", detail: "ChipError chip_absent" },
      retry: { because: "no_key", inSeconds: 4 },
      tokenRemainingSeconds: 90,
    },
    "Connected, but the next token is not in use yet: the chip that holds the key does not answer; has it power, " +
      "and is it connected? (ChipError chip_absent).\n" +
      "It tries again in 4 s; the present token serves on: good for another 1 min 30 s.",
  ],
  [
    "a refusal says how far the clock is off",
    {
      state: "backing_off",
      trouble: {
        because: "refused",
        detail: "the bridge did not believe the token",
        clockAheadSeconds: -125,
      },
      retry: { because: "refused", inSeconds: 2 },
    },
    "Not connected: the bridge did not believe the token; the device's clock is 2 min 5 s behind the bridge's.\n" +
      "It tries again in 2 s.",
  ],
  [
    "a clock that is off by less than any bridge forgives explains nothing",
    {
      state: "backing_off",
      trouble: { because: "refused", detail: "not authorized", clockAheadSeconds: 4.9 },
      retry: { because: "refused", inSeconds: 2 },
    },
    "Not connected: the bridge refused the token (not authorized).\nIt tries again in 2 s.",
  ],
  [
    "a clock that is not believed is what stands in the way, whatever failed before",
    { state: "waiting_for_clock", waitingBecause: "no source has answered yet", trouble: away },
    "Not connected: it signs nothing until it has a clock it can believe: no source has answered yet.\n" +
      "It asks its clock again every second.",
  ],
  [
    "a bridge that owes an answer makes the connection doubtful",
    { unansweredSeconds: 4, queuedMessages: 1 },
    "Connected, perhaps no longer: the bridge has not answered for 4 s.\n" +
      "If that lasts it gives the connection up and makes another; 1 message kept for then.",
  ],
  ["a round trip is no reason to doubt", { unansweredSeconds: 0.9 }, "Connected."],
  [
    "a code nobody foresaw is shown as it is",
    {
      state: "backing_off",
      trouble: { because: "network", detail: "EWHATEVER" },
      retry: { because: "network", inSeconds: 0 },
    },
    "Not connected: the bridge cannot be reached (EWHATEVER).\nIt tries again in 1 s.",
  ],
  [
    "a connection that breaks young is the network's doing for all one can see",
    { state: "backing_off", trouble: { because: "kicked", detail: "link_closed: ECONNRESET" } },
    "Not connected: the connection to the bridge was broken off, soon after it was made (link_closed: ECONNRESET).\n" +
      "It is trying now.",
  ],
  [
    "what only a person can mend calls for one",
    { state: "backing_off", trouble: { because: "protocol", detail: "the device is banned" } },
    "Not connected: the device is banned; someone has to look at that.\nIt is trying now.",
  ],
  [
    "a full disk is said beside how things stand",
    { outboxTrouble: "outbox_disk_full" },
    "Connected.\nNew messages are refused: the disk is full. What was accepted is kept, and goes on its way.",
  ],
  [
    "a connection that outlives the belief in the clock says so",
    { waitingBecause: "the battery is empty" },
    "Connected, but it signs nothing until it has a clock it can believe: the battery is empty.\n" +
      "The present token serves on: good for another 50 min.",
  ],
];

for (const [what, agent, words] of cases) {
  test(`status in words: ${what}`, () => {
    assert.equal(headlines(agent), words);
  });
}
