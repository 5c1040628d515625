import assert from "node:assert/strict";
import { test } from "node:test";
import { stableMillis } from "./backoff.ts";
import { causeOfFailedAttempt, judgeEnd } from "./verdict.ts";

const broken = { kind: "ended", because: "link_closed" } as const;
const disconnected = (reasonCode: number) =>
  ({ kind: "ended", because: "bridge_disconnected", reasonCode }) as const;

test("a connection that ends before it was stable was kicked, later the network broke", () => {
  const causes = [stableMillis - 1, stableMillis].map((held) => judgeEnd(broken, held).cause);

  assert.deepEqual(causes, ["kicked", "network"]);
  assert.equal(judgeEnd(disconnected(0x8b), 100).cause, "kicked");
});

test("a network that fell silent is no kick, however early", () => {
  assert.equal(judgeEnd({ kind: "ended", because: "ping_timeout" }, 100).cause, "network");
});

test("a reason that was given goes by its own backoff, however long the connection held", () => {
  const causes = [0x89, 0x87, 0x82, 0x8e].map((code) => judgeEnd(disconnected(code), 100).cause);

  assert.deepEqual(causes, ["busy", "refused", "protocol", "kicked"]);
  assert.equal(judgeEnd(disconnected(0x8e), 1e9).cause, "kicked");
});

test("an attempt that ends without a CONNACK is the network's doing, one that breaks the protocol is tried seldom", () => {
  assert.deepEqual(
    (["link_closed", "connack_timeout", "protocol_error", "not_served"] as const).map(causeOfFailedAttempt),
    ["network", "network", "protocol", "protocol"],
  );
});
